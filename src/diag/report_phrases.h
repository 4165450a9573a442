/* SPDX-License-Identifier: Apache-2.0
 * report_phrases.h - what the program says of limits, remedies and causes, and how reports in
 * Chinese say it.
 *
 * Layer: diag, for report_said.c. The English is the text as the code has it, {} for each value
 * in it; {1} to {9} of the Chinese are those values. The first phrase that fits counts. What has no
 * phrase stays English: tests/e2e/ops/test_report_phrases.py reads the code and fails. */
#pragma once

/* clang-format off */

/* X(English, Chinese) */
#define REPORT_PHRASES(X) \
	/* --- what set an option --- */ \
	X("default", \
	  "默认值") \
	X("environment {}", \
	  "环境变量 {1}") \
	X("flag {}", \
	  "命令行选项 {1}") \
	X("preset at {}", \
	  "预设，见 {1}") \
	X("certificates of server.listeners and admin.tls", \
	  "server.listeners 与 admin.tls 的证书") \
	/* --- notes of limits --- */ \
	X("less what {} worker{}, admin and handshakes need", \
	  "已扣除 {1} 个工作线程、管理端口和握手所需") \
	X("less {} descriptors that are no sockets", \
	  "已扣除 {1} 个不是套接字的描述符") \
	X("io_uring: per ring; {} worker{} with one each", \
	  "io_uring：每个 ring 单独计算；{1} 个工作线程各有一个") \
	X("the soft limit is there already; beyond it privilege is needed", \
	  "软限制已达到此值；再高需要特权") \
	X("the soft limit can be raised to it without privilege", \
	  "软限制无需特权即可提高到此值") \
	X("a sixteenth is left to others; root may pass this limit", \
	  "十六分之一留给其他进程；root 可以超过此限制") \
	X("the value is what is available: {}", \
	  "此值为可用内存：{1}") \
	X("more connections need no more threads", \
	  "连接再多也不需要更多线程") \
	X("io_uring: more workers hold more connections", \
	  "io_uring：工作线程越多，可容纳的连接越多") \
	X("connection tracking is not loaded", \
	  "未加载连接跟踪模块") \
	X("connection tracking is there, but counts no flow", \
	  "连接跟踪已加载，但没有跟踪任何流") \
	X("beyond it packets of new connections are dropped: they time out", \
	  "超过后新连接的包被丢弃，表现为超时") \
	X("{} to {}, for each source address, destination address and destination port: limits clients and proxies that connect from this machine, not the connections that a server accepts", \
	  "{1} 到 {2}，按每个源地址、目标地址和目标端口计算：只限制从本机发起连接的客户端和代理，不限制服务端接受的连接") \
	X("off: in a burst, connections beyond the SYN backlog are lost", \
	  "关闭：突发时超出 SYN 队列的连接会丢失") \
	X("on: in a burst, connections beyond the SYN backlog still get through", \
	  "开启：突发时超出 SYN 队列的连接仍可建立") \
	X("always used", \
	  "始终使用") \
	X("what a foreign program may use of it is not known", \
	  "其他程序能否使用它无从得知") \
	X("engine: {} ({})", \
	  "引擎：{1}（{2}）") \
	X("no reason given", \
	  "未说明原因") \
	X("kernel.io_uring_disabled is {}", \
	  "kernel.io_uring_disabled 为 {1}") \
	X("kernel.io_uring_disabled unknown: {}", \
	  "无法读取 kernel.io_uring_disabled：{1}") \
	X("the most that a hard limit on descriptors can be set to", \
	  "描述符硬限制能设置的最大值") \
	X("caps the queue of each listening socket: connections that wait to be accepted; beyond it SYNs are dropped in a burst, and clients try again after 1, 3, 7 s", \
	  "限制每个监听套接字的 accept 队列；突发超出时 SYN 被丢弃，客户端在 1、3、7 秒后重试") \
	X("half-open connections; beyond it SYNs are dropped, or answered with SYN cookies", \
	  "半连接数；超出时 SYN 被丢弃，或以 SYN cookie 应答") \
	X("all TCP buffers of the machine; at it data is dropped and sockets are refused memory; idle connections hold none", \
	  "整机的 TCP 缓冲区；达到后数据被丢弃、套接字得不到内存；空闲连接不占用") \
	X("connections lost because a listener's queue was full, since the machine started", \
	  "开机以来因 accept 队列已满而丢失的连接") \
	X("connections lost at listeners for any reason, since the machine started", \
	  "开机以来在监听套接字上丢失的所有连接") \
	X("from Linux 5.12 on rings are charged to the cgroup's memory, before to this", \
	  "自 Linux 5.12 起 ring 计入 cgroup 内存，之前计入此限制") \
	X("use unknown: {}", \
	  "用量未知：{1}") \
	X("no Gatehouse: look into its own configuration", \
	  "不是 Gatehouse：请查看其自身配置") \
	X("it does not tell of this limit", \
	  "对方未提供此限制") \
	X("it does not cap the total", \
	  "不限制总数") \
	X("0: an address may have any number", \
	  "0：每个地址的连接数不限") \
	X("used: by the address that has most", \
	  "已用：连接最多的地址") \
	X("0: connections are taken as fast as they come", \
	  "0：来多快就接多快") \
	X("after {} at once (accept_burst)", \
	  "可先突发 {1} 个（accept_burst）") \
	X("0: a client may be taken over any number of times", \
	  "0：客户端可被接管任意次") \
	X("after as many in a row", \
	  "可先连续这么多次") \
	X("no route has auth: nobody proves anything", \
	  "没有路由配置 auth：无需认证") \
	X("0: whoever is wrong may try again at once", \
	  "0：出错后可立即重试") \
	X("used: the most of one address or name since the start", \
	  "已用：启动以来单个地址或名字的最大值") \
	X("of one address at most 4", \
	  "单个地址最多 4 个") \
	X("no back ends: nothing waits for one", \
	  "没有后端：没有等待的事件") \
	X("of the back end '{}'{}; it does not cap the total", \
	  "后端“{1}”{2}；不限制总数") \
	X(", the fullest", \
	  "（最满的一个）") \
	X("beyond it the API makes none", \
	  "超过后 API 不再签发") \
	X("beyond it the API blocks nobody", \
	  "超过后 API 不再封禁") \
	X("those beyond get 503", \
	  "超出的得到 503") \
	X("auto: a share of the memory that was free at the start", \
	  "auto：启动时空闲内存的一部分") \
	X("room for {} messages of max_message_size at a time", \
	  "可同时容纳 {1} 条 max_message_size 大小的消息") \
	X("near it the connections that hold most are not read, beyond it they are closed", \
	  "接近时暂停读取占用最多的连接，超过时将其关闭") \
	X("auto: taken from {}", \
	  "auto：取自 {1}") \
	X("nothing, no limit is known", \
	  "无（没有已知的限制）") \
	X("auto: worked out at start; now {} allows {}", \
	  "auto：启动时算出；现在 {1} 允许 {2}") \
	X("nothing known caps, which", \
	  "没有已知限制") \
	X("0: no route has a limit of its own", \
	  "0：没有路由单独设限") \
	X("of the route '{}'{}; it does not cap the total", \
	  "路由“{1}”{2}；不限制总数") \
	X("0: none is kept", \
	  "0：不保留") \
	X("configured: {}, but more would take the descriptors for handshakes", \
	  "配置为 {1}，但再多会占用握手所需的描述符") \
	X("those beyond close after their answer", \
	  "超出的在应答后关闭") \
	X("no route has refuse_browsers: close", \
	  "没有路由配置 refuse_browsers: close") \
	X("those beyond are refused over HTTP", \
	  "超出的以 HTTP 拒绝") \
	X("beyond it a client is closed with 1008", \
	  "超过时以 1008 关闭客户端") \
	X("beyond it a client is not read until it may go on", \
	  "超过时暂停读取该客户端") \
	X("clients held back now, for their messages or bytes: {}", \
	  "当前因消息数或字节数被暂停的客户端：{1}") \
	X("0: a client may send any number", \
	  "0：客户端发送条数不限") \
	X("after {} at once (message_burst)", \
	  "可先突发 {1} 条（message_burst）") \
	X("0: a client may send as fast as it can", \
	  "0：客户端发送速度不限") \
	X("after as many at once", \
	  "可先突发这么多") \
	X("no route has compression: window", \
	  "没有路由配置 compression: window") \
	X("0: no client gets a window", \
	  "0：客户端没有压缩窗口") \
	X("enough for {} clients with a window of {} bytes each way (compression_window_bits: {})", \
	  "够 {1} 个客户端使用（每方向窗口 {2} 字节，compression_window_bits: {3}）") \
	X("those beyond get none", \
	  "超出的没有窗口") \
	X("no listener speaks TLS", \
	  "没有监听端口使用 TLS") \
	X("auto: {} for each worker", \
	  "auto：每个工作线程 {1} 个") \
	X("further ones wait, {} now, until server.handshake_timeout", \
	  "更多的排队（现在 {1} 个），直到 server.handshake_timeout") \
	X("0: handshakes begin as fast as clients come", \
	  "0：来多快就握手多快") \
	X("further ones wait, unread, until server.handshake_timeout", \
	  "更多的排队且暂不读取，直到 server.handshake_timeout") \
	X("no certificate could be read", \
	  "无法读取任何证书") \
	X("it has ended: clients refuse it", \
	  "证书已过期：客户端会拒绝") \
	X("the first ends in {} days; whoever renews it in time has nothing else to do: changed files are read again", \
	  "最早的证书还有 {1} 天到期；按时更换即可，文件变化后会自动重新读取") \
	/* --- remedies: where, and how they help --- */ \
	X("configuration", \
	  "配置文件") \
	X("shell", \
	  "shell") \
	X("systemd", \
	  "systemd") \
	X("compose", \
	  "compose") \
	X("docker", \
	  "docker") \
	X("kubernetes", \
	  "kubernetes") \
	X("sysctl", \
	  "sysctl") \
	X("machine", \
	  "机器") \
	X("{} workers then: each has a ring of its own, and a ring has room for nofile ({}) sockets", \
	  "届时 {1} 个工作线程各有一个 ring，每个 ring 可容纳 nofile（{2}）个套接字") \
	X("{} workers then, each with a ring that has room for nofile ({}) sockets; with epoll they share that", \
	  "届时 {1} 个工作线程各有一个可容纳 nofile（{2}）个套接字的 ring；使用 epoll 时共享这一数量") \
	X("room for so many sockets in the ring of each of {} worker{}", \
	  "{1} 个工作线程的每个 ring 可容纳这么多套接字") \
	X("one for each connection, and {} that are none: {}", \
	  "每个连接一个，另有 {1} 个不是连接：{2}") \
	X("its other descriptors", \
	  "该进程的其他描述符") \
	X("workers, admin, handshakes, back ends", \
	  "工作线程、管理端口、握手、后端") \
	X("{} # and take {} out of the environment, which beats the file", \
	  "{1} # 并去掉环境变量 {2}，它优先于文件") \
	X("{} # and take away {}, which beats the file", \
	  "{1} # 并去掉命令行选项 {2}，它优先于文件") \
	X("ulimit -n {} # as root: it is over the hard limit", \
	  "ulimit -n {1} # 以 root 执行：超过了硬限制") \
	X("LimitNOFILE={} for the container runtime: a pod has no field for it", \
	  "容器运行时的 LimitNOFILE={1}：pod 没有对应字段") \
	X("podPidsLimit: {} in the kubelet's configuration", \
	  "kubelet 配置中的 podPidsLimit: {1}") \
	X("{} MiB more memory", \
	  "再增加 {1} MiB 内存") \
	/* --- why an engine was chosen --- */ \
	X("this kernel has no io_uring, or a seccomp filter hides it", \
	  "此内核没有 io_uring，或被 seccomp 过滤") \
	X("io_uring is forbidden here (seccomp, as in most containers, or kernel.io_uring_disabled)", \
	  "此处禁止 io_uring（多数容器的 seccomp，或 kernel.io_uring_disabled）") \
	X("io_uring may not lock enough memory (raise memlock)", \
	  "io_uring 可锁定的内存不足（请提高 memlock）") \
	X("no descriptor is left for a ring (raise nofile)", \
	  "没有描述符可用于 ring（请提高 nofile）") \
	X("this kernel's io_uring lacks what Gatehouse needs (Linux 6.0 or newer)", \
	  "此内核的 io_uring 功能不足（需要 Linux 6.0 或更新）") \
	X("configured", \
	  "按配置") \
	X("a trial ring worked", \
	  "试建 ring 成功") \
	/* --- verdicts of doctor --- */ \
	X("This machine and configuration", \
	  "本机及此配置") \
	X("yes: {} fit. {}", \
	  "可以：能容纳 {1} 个。{2}") \
	X("no: {}", \
	  "不能：{1}") \
	X("that cannot be known of {}. {}", \
	  "无法得知能否容纳 {1} 个。{2}") \
	X("there is no room for connections: {}", \
	  "无法容纳任何连接：{1}") \
	X("server.max_connections {} ({}) cannot be held, serve would not start: {}", \
	  "server.max_connections {1}（{2}）无法满足，serve 不会启动：{3}") \
	X("serve would not start: server.engine: io_uring cannot be used: {}; set it to auto or epoll", \
	  "serve 不会启动：server.engine: io_uring 不可用：{1}；请设为 auto 或 epoll") \
	X("{} does not tell its own limits, max_connections among them ({}); as far as the kernel knows, it{}", \
	  "{1} 未提供自身的限制（包括 max_connections）：{2}；就内核所知，它{3}") \
	X("{}: no limit that could be read caps connections", \
	  "{1}：能读到的限制都不限制连接数") \
	X("{} can hold {} connections; the limit that binds is {}; next would be {} at {}", \
	  "{1} 可容纳 {2} 个连接；起作用的限制是 {3}；其次是 {4}，为 {5}") \
	X("{} can hold {} connections; the limit that binds is {}", \
	  "{1} 可容纳 {2} 个连接；起作用的限制是 {3}") \
	X("{} hold {} connections; the limit that binds is {}; next would be {} at {}", \
	  "{1}可容纳 {2} 个连接；起作用的限制是 {3}；其次是 {4}，为 {5}") \
	X("{} hold {} connections; the limit that binds is {}", \
	  "{1}可容纳 {2} 个连接；起作用的限制是 {3}") \
	X("{} is {}% used", \
	  "{1} 已使用 {2}%") \
	X("the queue of {} is full: {} wait, its backlog is {}", \
	  "{1} 的队列已满：{2} 个等待，backlog 为 {3}") \
	X("{} is a zombie: it has ended and holds nothing", \
	  "{1} 是僵尸进程：已结束，不占用任何资源") \
	X("{} is a thread of the kernel: it has no descriptors and no listeners", \
	  "{1} 是内核线程：没有描述符和监听端口") \
	X("TLS is spoken there, which this command does not: what it says is read from the process and its sockets alone", \
	  "该端口使用 TLS，本命令不支持：结论仅来自进程及其套接字") \
	/* --- what the tester can open --- */ \
	X("no limit of this tester's machine is known to cap it", \
	  "测试端没有已知的限制") \
	X("this tester can open about {} connections: its own {} is {}", \
	  "测试端可建立约 {1} 个连接：自身的 {2} 为 {3}") \
	/* --- where a test stopped --- */ \
	X("plateau at {}: {}", \
	  "停在 {1}：{2}") \
	X("the server's listen backlog ({} does not accept; the kernel counted {} ListenOverflows)", \
	  "服务端的 listen 队列（{1}不再 accept；内核计数 ListenOverflows {2}）") \
	X("this machine's nf_conntrack_max, its table of flows is full", \
	  "本机的 nf_conntrack_max，连接跟踪表已满") \
	X("{} takes TCP connections but answers no handshake", \
	  "{1}接受 TCP 连接但不应答握手") \
	X("TCP is not answered any more ({} SYNs were sent again)", \
	  "TCP 不再得到应答（重发了 {1} 个 SYN）") \
	X("the server refuses with {} and names no limit", \
	  "服务端以 {1} 拒绝，未说明限制") \
	X("the server stopped to take connections ({})", \
	  "服务端停止接受连接（{1}）") \
	X("the server ends the others before it answers their handshake: is it out of threads or descriptors?", \
	  "服务端未应答握手就结束其余连接：线程或描述符用尽了吗？") \
	X("the server ends the others: {}", \
	  "服务端结束其余连接：{1}") \
	X("the server: {}", \
	  "服务端：{1}") \
	X("the server", \
	  "服务端") \
	X("the tester's own memory (memory are used up)", \
	  "测试端自身的 memory（内存已用尽）") \
	X("the tester's own {} is {}", \
	  "测试端自身的 {1} 为 {2}") \
	X("the tester's own {} ({} are used up)", \
	  "测试端自身的 {1}（{2}已用尽）") \
	X("the tester itself: {}", \
	  "测试端自身：{1}") \
	X("descriptors", \
	  "描述符") \
	X("files of the machine", \
	  "整机打开文件数") \
	X("source ports", \
	  "源端口") \
	X("nothing listens on {} (connection refused): is that the right port? {}", \
	  "{1} 无人监听（连接被拒绝）：端口对吗？{2}") \
	X("nothing listens on {} (connection refused): is that the right port?", \
	  "{1} 无人监听（连接被拒绝）：端口对吗？") \
	X("no other port listens there", \
	  "那里没有其他端口在监听") \
	X("{} and others do listen", \
	  "{1} 等端口在监听") \
	X("{} do listen", \
	  "{1} 在监听") \
	X("{} does listen", \
	  "{1} 在监听") \
	/* --- causes of failures --- */ \
	X("connect: time out, TCP was not answered", \
	  "连接超时：TCP 没有应答") \
	X("connect: {}", \
	  "连接失败：{1}") \
	X("no ticket: {}", \
	  "没有得到 ticket：{1}") \
	X("TLS: time out, connected but no handshake", \
	  "TLS 超时：已连接但没有握手") \
	X("TLS: {} ({})", \
	  "TLS：{1}（{2}）") \
	X("handshake: time out, connected but no answer", \
	  "握手超时：已连接但没有应答") \
	X("{} in the TLS handshake", \
	  "{1}（TLS 握手期间）") \
	X("{} before it answered the handshake", \
	  "{1}（应答握手之前）") \
	X("{} while open, without a close frame", \
	  "{1}（已打开，没有关闭帧）") \
	X("closed by the other side", \
	  "被对方关闭") \
	X("bad handshake: {}", \
	  "握手应答有误：{1}") \
	X("closed with {}", \
	  "被关闭，代码 {1}") \
	X("bad frame ({}): {}", \
	  "帧有误（{1}）：{2}") \
	X("wrong echo: {}", \
	  "回显有误：{1}") \
	X("echo: time out, a message was not answered", \
	  "回显超时：消息没有应答") \
	X("did not come back before the end", \
	  "结束前没有重连") \
	X("other causes, more kinds than are told apart", \
	  "其他原因，种类过多不再区分") \
	X("our own request came back: a connection to itself, or an echo service", \
	  "收到自己的请求：连到了自己，或对方是回显服务") \
	X("HTTP {} (Gatehouse-Limit: {})", \
	  "HTTP {1}（Gatehouse-Limit: {2}）") \
	/* --- advice --- */ \
	X("nothing listens there: is the gateway up, is this its port? (--wait-ready waits)", \
	  "那里无人监听：网关启动了吗？端口对吗？（--wait-ready 会等待）") \
	X("the tester's source ports are used up: widen net.ipv4.ip_local_port_range, or use an IPv4 loopback target, which is spread over 127.0.0.0/8", \
	  "测试端的源端口已用尽：扩大 net.ipv4.ip_local_port_range，或使用 IPv4 回环目标（会分散到 127.0.0.0/8）") \
	X("the tester's descriptor limit: raise 'ulimit -Hn', or use --engine io_uring", \
	  "测试端的描述符限制：提高 'ulimit -Hn'，或使用 --engine io_uring") \
	X("with io_uring the ring's table is full: raise 'ulimit -Hn' or leave --workers out; else the machine's files are: raise fs.file-max", \
	  "使用 io_uring 时是 ring 的表已满：提高 'ulimit -Hn' 或去掉 --workers；否则是整机文件数已满：提高 fs.file-max") \
	X("the kernel has no memory for sockets: see net.ipv4.tcp_mem", \
	  "内核没有内存用于套接字：见 net.ipv4.tcp_mem") \
	X("memory is out: fewer connections, or a larger machine", \
	  "内存耗尽：减少连接，或换更大的机器") \
	X("TCP was not answered: a full listen backlog (net.core.somaxconn), a packet filter or a wrong address", \
	  "TCP 没有应答：listen 队列已满（net.core.somaxconn）、包过滤或地址错误") \
	X("no route to that address", \
	  "没有到该地址的路由") \
	X("the server knows the client of this path already: give each connection an id of its own, {n} in the URL becomes its number", \
	  "服务端已有此路径的客户端：给每个连接各自的 id，URL 中的 {n} 会替换为编号") \
	X("an HTTP server answered, but not as a WebSocket: check port and path", \
	  "应答的是 HTTP 服务而不是 WebSocket：检查端口和路径") \
	X("credentials are wanted: --basic, --token-file, --ticket-url, --cert or --header 'Authorization: ...'", \
	  "需要凭据：--basic、--token-file、--ticket-url、--cert 或 --header 'Authorization: ...'") \
	X("the other side is at a limit: raise the one it names, or open slower with --rate", \
	  "对方达到了限制：提高它所指出的限制，或用 --rate 放慢") \
	X("--ticket-url must answer a POST with JSON that has a member 'ticket'", \
	  "--ticket-url 必须以含有成员 'ticket' 的 JSON 应答 POST") \
	X("it gave up without a word: is TLS spoken at that port? Its log may say more", \
	  "对方未作说明就放弃：该端口使用 TLS 吗？其日志可能有更多信息") \
	X("is TLS spoken at that port? It may be overloaded, too; --handshake-timeout waits longer", \
	  "该端口使用 TLS 吗？也可能过载；--handshake-timeout 可延长等待") \
	X("it may be out of descriptors or overloaded; --handshake-timeout waits longer", \
	  "对方可能描述符用尽或过载；--handshake-timeout 可延长等待") \
	X("is it an echo? --echo-timeout waits longer", \
	  "它会回显吗？--echo-timeout 可延长等待") \
	X("see why its attempts failed, at Away; a longer --hold gives more time", \
	  "重连失败的原因见文字报告的 Away；更长的 --hold 给更多时间") \
	/* --- TLS --- */ \
	X("what the server answered is no TLS", \
	  "服务端的应答不是 TLS") \
	X("plain HTTP, or something else, is spoken at that port: is it a ws:// (http://) URL, or is TLS at another port?", \
	  "该端口是明文 HTTP 或其他协议：应使用 ws://（http://）URL，还是 TLS 在另一端口？") \
	X("the server's certificate is vouched for by nobody that this tester believes", \
	  "服务端证书没有测试端信任的签发者") \
	X("--ca FILE names the authority that signed it; --insecure believes any", \
	  "用 --ca FILE 指定签发机构；--insecure 不校验") \
	X("the server has no certificate for the name in the URL", \
	  "服务端没有 URL 中名字的证书") \
	X("the host of the URL must be among the certificate's names (subjectAltName); --insecure believes any", \
	  "URL 的主机名必须在证书的 subjectAltName 中；--insecure 不校验") \
	X("the server's certificate has expired", \
	  "服务端证书已过期") \
	X("renew it; if it is new, has the server read it, and is this machine's clock right?", \
	  "请更换证书；若已更换，服务端重新读取了吗？本机时钟正确吗？") \
	X("the server's certificate is not valid yet", \
	  "服务端证书尚未生效") \
	X("is the clock right, here and where the certificate was made?", \
	  "本机和签发证书的机器时钟正确吗？") \
	X("the server's certificate is revoked", \
	  "服务端证书已吊销") \
	X("renew it", \
	  "请更换证书") \
	X("the server's certificate is not accepted", \
	  "服务端证书不被接受") \
	X("'openssl verify' says more; --insecure believes any", \
	  "'openssl verify' 可给出详情；--insecure 不校验") \
	X("no version of TLS in common", \
	  "没有共同的 TLS 版本") \
	X("without --tls-version 1.2 and 1.3 are offered; older ones never", \
	  "不带 --tls-version 时提供 1.2 和 1.3；不支持更旧版本") \
	X("no cipher suite, group or signature algorithm in common", \
	  "没有共同的密码套件、群或签名算法") \
	X("suites with AES-GCM or ChaCha20, and X25519, P-256 and P-384 are offered", \
	  "提供 AES-GCM、ChaCha20 套件以及 X25519、P-256、P-384") \
	X("the server ended the connection in the handshake", \
	  "服务端在握手中结束了连接") \
	X("is TLS spoken at that port? Its log may say more", \
	  "该端口使用 TLS 吗？其日志可能有更多信息") \
	X("a record of the server's broke the protocol", \
	  "服务端的一条记录违反协议") \
	X("the tester's memory is out", \
	  "测试端内存耗尽") \
	X("the server wants a client certificate", \
	  "服务端要求客户端证书") \
	X("--cert FILE and --key FILE show one", \
	  "用 --cert FILE 和 --key FILE 出示") \
	X("the server does not know the issuer of the client certificate", \
	  "服务端不认识客户端证书的签发者") \
	X("--cert must be signed by an authority of the server's (client_ca_file); its chain belongs in the same file", \
	  "--cert 必须由服务端的机构（client_ca_file）签发；证书链放在同一文件中") \
	X("the server says that the client certificate has expired", \
	  "服务端认为客户端证书已过期") \
	X("renew what --cert names", \
	  "请更换 --cert 指定的证书") \
	X("the server says that the client certificate is revoked", \
	  "服务端认为客户端证书已吊销") \
	X("the server does not accept the client certificate", \
	  "服务端不接受客户端证书") \
	X("its log says more; --cert must be for clients, and be signed by an authority of the server's", \
	  "其日志有详情；--cert 必须是客户端证书，并由服务端的机构签发") \
	X("use a name in the URL that it has one for", \
	  "URL 中请使用它有证书的名字") \
	X("the server speaks none of the versions of TLS offered", \
	  "服务端不支持所提供的任何 TLS 版本") \
	X("the server found no cipher suite in common, or wants a client certificate", \
	  "服务端没有找到共同的密码套件，或要求客户端证书") \
	X("a server of TLS 1.2 says the same of both: try --cert and --key, and look into its log", \
	  "TLS 1.2 的服务端对两者回答相同：试试 --cert 和 --key，并查看其日志") \
	X("the server has no protocol above TLS in common", \
	  "服务端没有共同的上层协议") \
	X("http/1.1 is what WebSockets begin with; is it a port for HTTP/2 alone?", \
	  "WebSocket 以 http/1.1 开始；该端口只支持 HTTP/2 吗？") \
	X("the server found a record of ours broken", \
	  "服务端认为我方的一条记录有误") \
	X("TLS failed", \
	  "TLS 失败") \
	X("the server's log may say more", \
	  "服务端日志可能有更多信息") \
	/* --- acts --- */ \
	X("the shell cannot be started: {}", \
	  "无法启动 shell：{1}") \
	X("was killed, since it had not ended", \
	  "未按时结束，已被终止") \
	X("exit code {}", \
	  "退出码 {1}") \
	X("ended by signal {}", \
	  "被信号 {1} 结束") \
	X("was not reached", \
	  "未执行到") \
	/* --- where the server's limits come from --- */ \
	X("the server's own, from {}", \
	  "服务端自己提供，来自 {1}") \
	X("read from /proc: {} listens there", \
	  "读自 /proc：{1} 在监听") \
	X("--limits {}: {}", \
	  "--limits {1}：{2}") \
	X("{} (what it said before is kept)", \
	  "{1}（保留之前的结果）") \
	X("its answer is no JSON object", \
	  "其应答不是 JSON 对象") \
	X("its answer has no limits in it", \
	  "其应答中没有限制") \
	/* --- what the kernel says --- */ \
	X("Cannot assign requested address", \
	  "无法分配所请求的地址") \
	X("Too many open files in system", \
	  "整机打开的文件过多") \
	X("Too many open files", \
	  "打开的文件过多") \
	X("Connection refused", \
	  "连接被拒绝") \
	X("Connection reset by peer", \
	  "连接被对方重置") \
	X("Connection timed out", \
	  "连接超时") \
	X("Cannot allocate memory", \
	  "无法分配内存") \
	X("No buffer space available", \
	  "没有缓冲区空间") \
	X("Network is unreachable", \
	  "网络不可达") \
	X("No route to host", \
	  "没有到主机的路由") \
	X("No such file or directory", \
	  "没有该文件或目录") \
	X("Permission denied", \
	  "权限不足") \
	X("Broken pipe", \
	  "管道已断开") \
	/* --- of any text, so they come last --- */ \
	X("{} allows {} ({})", \
	  "{1} 允许 {2}（{3}）") \
	X("{} allows {}", \
	  "{1} 允许 {2}") \
	X("the server's {} (it uses {} of {})", \
	  "服务端的 {1}（使用了 {2} / {3}）") \
	X("the server's {} ({}uses {} of {})", \
	  "服务端的 {1}（{2}使用了 {3} / {4}）") \
	X("the server's {}", \
	  "服务端的 {1}") \
	X("{} ({}; {})", \
	  "{1}（{2}；{3}）") \
	X("{} ({})", \
	  "{1}（{2}）") \
	X("{} per ring", \
	  "{1}（每个 ring）") \
	X("{} ports, and it has one source address for this target", \
	  "{1} 个端口，且对此目标只有一个源地址") \
	X("{} bytes", \
	  "{1} 字节")

/* clang-format on */
