/* SPDX-License-Identifier: Apache-2.0
 * report_words.h - the words of written reports (bench --report, doctor --report), in the languages
 * that they are written in.
 *
 * Layer: diag. What the program says elsewhere, too (limits, remedies, causes) has its own table,
 * report_phrases.h. Its last line, PASS or FAIL, is quoted as it is: it can be searched for. */
#pragma once

enum report_lang { REPORT_LANG_EN, REPORT_LANG_ZH, REPORT_LANG_COUNT };

/* X(NAME, English, Chinese) */
#define REPORT_WORDS(X)                                                                           \
	X(TITLE, "Capacity report", "连接容量测试报告")                                           \
	X(COLON, ": ", "：")                                                                      \
	X(LAST_COLON, ":", "：")                                                                  \
	X(COMMA, ", ", "，")                                                                      \
	X(SEMICOLON, "; ", "；")                                                                  \
	X(STOP, ".", "。")                                                                        \
	X(BRACKET, " (", "（")                                                                    \
	X(LAST_BRACKET, ")", "）")                                                                \
	X(PASSED, "passed", "通过")                                                               \
	X(FAILED, "failed", "未通过")                                                             \
	X(FITS, "it fits", "可以满足")                                                            \
	X(DOES_NOT_FIT, "it does not fit", "不能满足")                                            \
	X(BACKGROUND, "Background", "背景")                                                       \
	X(ENVIRONMENT, "Environment", "环境")                                                     \
	X(LIMITS, "Limits of both sides", "双方的限制")                                           \
	X(OF_TESTER, "Of the tester", "测试端")                                                   \
	X(OF_SERVER, "Of the server", "服务端")                                                   \
	X(RESULTS, "What was seen", "观察结果")                                                   \
	X(FAILURES, "Failures", "失败明细")                                                       \
	X(HYPOTHESES, "Hypotheses", "假设与排查")                                                 \
	X(ROOT_CAUSE, "Root cause", "根本原因")                                                   \
	X(CURE, "Cure", "解决办法")                                                               \
	X(PROOF, "The run that proves it", "验证")                                                \
	X(BEFORE_AND_NOW, "Before and now", "前后对比")                                           \
	X(TIMES, "Times", "时间线")                                                               \
	X(BEGAN, "connecting began", "开始建立连接")                                              \
	X(ALL_UP, "the last was up or had failed", "最后一个连接成功或失败")                      \
	X(HOLD_ENDED, "the hold ended", "保持阶段结束")                                           \
	X(ENDED, "the test ended", "测试结束")                                                    \
	X(TARGET, "target", "目标")                                                               \
	X(CONNECTIONS, "connections asked for", "目标连接数")                                     \
	X(RATE, "new connections per second asked for", "要求的每秒新建连接数")                   \
	X(AS_FAST, "as fast as they are answered", "尽可能快")                                    \
	X(HOLD, "hold", "保持时间")                                                               \
	X(MESSAGES, "messages", "消息")                                                           \
	X(NONE, "none", "无")                                                                     \
	X(TESTER, "tester", "测试程序")                                                           \
	X(WORKERS, "workers", "工作线程数")                                                       \
	X(SOURCES, "source addresses", "源地址数")                                                \
	X(SYSTEM, "system", "操作系统")                                                           \
	X(PROCESSORS, "processors", "处理器数")                                                   \
	X(MEMORY, "memory", "内存")                                                               \
	X(SERVER, "server", "服务进程")                                                           \
	X(NOT_KNOWN, "not known", "未知")                                                         \
	X(ASK_LIMITS,                                                                             \
	  "with `--limits URL` a gateway says at /limits of its admin listener what each limit "  \
	  "is, and what has set it",                                                              \
	  "用 `--limits URL` 询问网关管理监听端的 /limits，它会说明每个限制的数值和由什么设定")   \
	X(HERE, "on this machine", "在本机")                                                      \
	X(ELSEWHERE, "on another machine", "在另一台机器上")                                      \
	X(WHAT, "what", "项目")                                                                   \
	X(VALUE, "value", "数值")                                                                 \
	X(LIMIT, "limit", "限制")                                                                 \
	X(USED, "used", "已用")                                                                   \
	X(ALLOWS, "connections it allows", "允许的连接数")                                        \
	X(SOURCE, "source", "来源")                                                               \
	X(NO_LIMIT, "no limit", "不限")                                                           \
	X(CONNECTED, "connected", "已连接")                                                       \
	X(NOT_CONNECTED, "failed to connect", "连接失败")                                         \
	X(DROPPED, "dropped later", "之后断开")                                                   \
	X(HELD, "held until the end", "保持到结束")                                               \
	X(DISCONNECTED, "disconnected, to come back", "断开（将重连）")                           \
	X(RECONNECTED, "came back", "已重连")                                                     \
	X(AWAY, "away at the end", "结束时未重连")                                                \
	X(LATE, "late echoes", "迟到的回显")                                                      \
	X(REPEATED, "echoes that came twice", "重复的回显")                                       \
	X(PUSHED, "messages pushed to each", "向每个客户端推送的消息")                            \
	X(DELIVERIES, "deliveries", "送达")                                                       \
	X(COMEBACK_P99, "coming back, 99% of them within", "重连 p99")                            \
	X(ACTS, "Acts", "期间的操作")                                                             \
	X(ACT, "act", "操作")                                                                     \
	X(DONE, "done", "完成")                                                                   \
	X(NOT_DONE, "**not done**", "**未完成**")                                                 \
	X(PER_SECOND, "connections per second", "每秒建立连接数")                                 \
	X(HANDSHAKE_P50, "handshake, half of them within", "握手 p50")                            \
	X(HANDSHAKE_P99, "handshake, 99% of them within", "握手 p99")                             \
	X(ECHO_P50, "echo, half of them within", "回显 p50")                                      \
	X(ECHO_P99, "echo, 99% of them within", "回显 p99")                                       \
	X(PUSH_P50, "push, half of them within", "推送 p50")                                      \
	X(PUSH_P99, "push, 99% of them within", "推送 p99")                                       \
	X(NUMBER, "count", "数量")                                                                \
	X(CAUSE, "cause", "原因")                                                                 \
	X(SIDE, "whose", "归属")                                                                  \
	X(WHEN, "when", "时间")                                                                   \
	X(SIDE_MINE, "the tester", "测试端")                                                      \
	X(SIDE_YOURS, "the server", "服务端")                                                     \
	X(SIDE_BETWEEN, "between them", "网络或过载")                                             \
	X(HYPOTHESIS, "hypothesis", "假设")                                                       \
	X(OUTCOME, "outcome", "结论")                                                             \
	X(EVIDENCE, "evidence", "证据")                                                           \
	X(EXCLUDED, "excluded", "已排除")                                                         \
	X(CONFIRMED, "**confirmed**", "**已证实**")                                               \
	X(OPEN, "not known", "无法判断")                                                          \
	X(NOTHING_STOPPED, "Nothing stopped the test: what was asked for was reached.",           \
	  "没有任何因素阻止测试：目标已经达到。")                                                 \
	X(NOTHING_TO_CURE, "Nothing has to be changed for this number of connections.",           \
	  "对于这个连接数，不需要任何修改。")                                                     \
	X(NEXT_LIMIT, "What would stop a larger test first", "更大的测试会最先遇到的限制")        \
	X(BEFORE, "before", "之前")                                                               \
	X(NOW, "now", "现在")                                                                     \
	X(VERDICT, "verdict", "结论")                                                             \
	X(CHANGED_LIMITS, "Limits that have changed", "已变化的限制")                             \
	X(NO_CHANGED_LIMITS, "No limit that both runs know has changed.",                         \
	  "两次测试都已知的限制没有变化。")                                                       \
	X(RUN_AGAIN,                                                                              \
	  "After the change run the same again, with whatever else this run had, and `--json` "   \
	  "of this run as the one before:",                                                       \
	  "修改之后，用相同的选项再运行一次，并以本次的 `--json` 作为对比：")                     \
	X(HYP_TESTER, "The tester cannot open more: descriptors, ports, memory of its own",       \
	  "测试端自身的限制：文件描述符、端口、内存")                                             \
	X(HYP_CPU, "The tester is too slow: its figures are not the server's",                    \
	  "测试端 CPU 饱和：数字不代表服务端")                                                    \
	X(HYP_LISTENING, "Nobody listens there: a wrong port, or a server that is not ready yet", \
	  "无人监听：端口错误，或服务尚未就绪")                                                   \
	X(HYP_TARGET, "What answers is no such WebSocket server: path, proxy, credentials",       \
	  "应答的不是该 WebSocket 服务：路径、代理或凭据")                                        \
	X(HYP_TLS, "TLS fails: certificates, versions, suites", "TLS 失败：证书、版本、套件")     \
	X(HYP_REFUSED, "The server refuses by a limit of its own", "服务端因自身限制而拒绝")      \
	X(HYP_FULL, "A limit of the server's process or machine is used up",                      \
	  "服务端进程或机器的某个限制已用尽")                                                     \
	X(HYP_QUEUE, "The server's accept queue overflows", "服务端 accept 队列溢出")             \
	X(HYP_NETWORK, "The network loses connections: firewall, connection tracking, SYN queue", \
	  "网络丢失连接：防火墙、连接跟踪、SYN 队列")                                             \
	X(HYP_SLOW, "The server is too slow to answer handshakes", "服务端来不及应答握手")        \
	X(HYP_DROPS, "Connections are cut later: idle time limits, proxies, restarts",            \
	  "连接随后被切断：空闲超时、代理、重启")                                                 \
	X(HYP_ECHO, "Messages are lost or wrong", "消息丢失或错误")                               \
	X(EV_FITS, "%s; none failed for want of anything here", "%s；没有因测试端不足而失败")     \
	X(EV_MINE, "%s of them failed on this side", "有 %s 个在测试端失败")                      \
	X(EV_BUSY, "its workers were %s busy in the hold", "保持阶段工作线程占用 %s")             \
	X(EV_SATURATED, "its processors were used up", "测试端处理器已用满")                      \
	X(EV_NOT_REFUSED, "no connection was refused by TCP", "没有连接被 TCP 拒绝")              \
	X(EV_REFUSED_TCP, "%s were refused by TCP", "有 %s 个被 TCP 拒绝")                        \
	X(EV_ANSWERED, "%s were answered with 101", "有 %s 个得到 101 应答")                      \
	X(EV_ANSWERED_WRONG, "%s got another answer than 101", "有 %s 个得到的不是 101")          \
	X(EV_NO_TLS, "clients came in clear", "客户端未使用 TLS")                                 \
	X(EV_TLS_GOOD, "%s handshakes of TLS, none failed", "%s 次 TLS 握手，没有失败")           \
	X(EV_TLS_BAD, "%s failed in TLS", "有 %s 个在 TLS 中失败")                                \
	X(EV_NO_LIMIT_NAMED, "no answer had status 429 or 503", "没有 429 或 503 应答")           \
	X(EV_LIMIT_NAMED, "%s were refused: %s", "有 %s 个被拒绝：%s")                            \
	X(EV_NO_TABLE, "its limits were not asked for, or could not be (--limits URL)",           \
	  "未查询服务端的限制（--limits URL）")                                                   \
	X(EV_NONE_FULL, "of the limits it names none is used up", "其列出的限制都未用尽")         \
	X(EV_FULL, "%s is used up: %s", "%s 已用尽：%s")                                          \
	X(EV_QUEUE, "the kernel counted ListenOverflows %s, ListenDrops %s",                      \
	  "内核计数 ListenOverflows %s，ListenDrops %s")                                          \
	X(EV_NOT_HERE, "the server is elsewhere: look at its counters there",                     \
	  "服务端不在本机：请在那里查看计数")                                                     \
	X(EV_NO_TIMEOUT, "no connection waited for TCP in vain", "没有连接在 TCP 阶段超时")       \
	X(EV_TIMEOUT, "%s waited for TCP in vain", "有 %s 个在 TCP 阶段超时")                     \
	X(EV_CONNTRACK, "connection tracking of this machine is full", "本机连接跟踪表已满")      \
	X(EV_IN_TIME, "no handshake went unanswered; 99%% took %s at most",                       \
	  "没有握手得不到应答；99%% 不超过 %s")                                                   \
	X(EV_LATE, "%s handshakes went unanswered", "有 %s 次握手没有得到应答")                   \
	X(EV_HELD, "%s held for %s, none dropped", "%s 个保持了 %s，没有断开")                    \
	X(EV_DROPPED, "%s were dropped, the first after %s", "有 %s 个断开，最早在 %s")           \
	X(EV_NO_MESSAGES, "no messages were asked for", "未要求发送消息")                         \
	X(DOCTOR_TITLE, "Limits of connections", "连接数限制诊断报告")                            \
	X(QUESTION, "connections asked about", "询问的连接数")                                    \
	X(AS_CONFIGURED, "none: what is configured", "未指定：按配置")                            \
	X(SUBJECT, "looked at", "检查对象")                                                       \
	X(CONFIGURATION, "this machine with a configuration; nothing needs to run",               \
	  "本机及其配置，无需运行")                                                               \
	X(LIMITS_READ, "the limits were read", "读取限制")                                        \
	X(ANSWER, "answer", "答案")                                                               \
	X(TOOL, "program", "诊断程序")                                                            \
	X(ENGINE, "engine and workers", "引擎与工作线程")                                         \
	X(PROCESS, "process", "进程")                                                             \
	X(DESCRIPTORS, "descriptors", "文件描述符")                                               \
	X(DESCRIPTORS_ARE, "sockets %ju; io_uring rings %ju; others %ju",                         \
	  "套接字 %ju；io_uring ring %ju；其他 %ju")                                              \
	X(LISTENS, "listens on", "监听")                                                          \
	X(HELD_NOW, "connections now", "当前连接数")                                              \
	X(RAISED, "soft limit on descriptors, raised to the hard one",                            \
	  "文件描述符软限制（已提高到硬限制）")                                                   \
	X(LIMITS_ALONE, "Limits", "限制")                                                         \
	X(BINDS, "What binds", "起作用的限制")                                                    \
	X(ADVICE, "Advice, for when many come at once", "建议：大量连接同时到来时")               \
	X(ASK_AGAIN, "After the change ask again, and prove it with real connections:",           \
	  "修改之后再次询问，并用真实连接验证：")                                                 \
	X(DH_STARTS, "It cannot even start: engine, configuration", "根本无法启动：引擎或配置")   \
	X(DH_OWN, "The gateway's own limit is lower", "网关自身的连接上限较低")                   \
	X(DH_DESCRIPTORS, "Descriptors run out: ulimit -n, LimitNOFILE",                          \
	  "文件描述符不足：ulimit -n、LimitNOFILE")                                               \
	X(DH_FILES, "The machine has no more open files", "整机打开文件数不足")                   \
	X(DH_MEMORY, "Memory runs out: machine, container", "内存不足：整机或容器")               \
	X(DH_THREADS, "Threads run out: pids.max", "线程数不足：pids.max")                        \
	X(DH_CONNTRACK, "The firewall tracks no more connections", "防火墙连接跟踪表不足")        \
	X(DH_USED_UP, "A limit is used up now", "当前有限制已用尽")                               \
	X(DH_QUEUE, "Accept queues overflow", "accept 队列溢出")                                  \
	X(DH_BURST, "Many that come at once do not find room to wait",                            \
	  "大量连接同时到来时排队空间不足")                                                       \
	X(DH_PACED, "Configured rates and shares keep clients out",                               \
	  "配置的速率或份额限制了客户端")                                                         \
	X(DH_PORTS, "Ports run out", "端口不足")                                                  \
	X(DE_ALLOWS, "%s is %s and allows %s", "%s 为 %s，允许 %s")                               \
	X(DE_SET_BY, "set by: %s", "由此设置：%s")                                                \
	X(DE_FREE, "%s: no limit here", "%s：此处不限")                                           \
	X(DE_UNKNOWN, "%s could not be read: %s", "无法读取 %s：%s")                              \
	X(DE_STARTS, "%s: %s", "%s：%s")                                                          \
	X(DE_RUNS, "it runs", "正在运行")                                                         \
	X(DE_GONE, "it does not run any more", "已不再运行")                                      \
	X(DE_USED, "%s is used to %s%%", "%s 已使用 %s%%")                                        \
	X(DE_NONE_USED, "none is used to 95%% or more", "没有限制用到 95%% 或以上")               \
	X(DE_QUEUE, "%s: %s wait, backlog %s, %s lost", "%s：%s 个等待，backlog %s，丢失 %s")     \
	X(DE_COUNTED, "the kernel has counted %s %s since it started", "内核启动以来计数 %s %s")  \
	X(DE_NOTHING_COUNTED, "the kernel has counted none", "内核没有计数")                      \
	X(DE_WAIT, "%s lets %s wait", "%s 允许 %s 个排队")                                        \
	X(DE_SET, "%s is set to %s", "%s 设为 %s")                                                \
	X(DE_NOT_SET, "none is configured", "未配置")                                             \
	X(DE_PORTS,                                                                               \
	  "clients come here and bring ports of their own; %s are for who connects "              \
	  "from here to one destination",                                                         \
	  "客户端自带端口；本机仅在主动连接同一目标时受 %s 个端口的限制")                         \
	X(EV_WHOLE, "%s messages, all right", "%s 条消息，全部正确")                              \
	X(EV_NOT_WHOLE, "%s of %s messages came back right", "%s / %s 条消息正确返回")

#define REPORT_WORD_ENUM(NAME, en, zh) REPORT_WORD_##NAME,
enum report_word { REPORT_WORDS(REPORT_WORD_ENUM) REPORT_WORD_COUNT };

/* Static text. */
const char *report_word(enum report_lang lang, enum report_word word);

/* The language of that name ("en", "zh"), or NULL. */
const enum report_lang *report_lang_find(const char *name);
