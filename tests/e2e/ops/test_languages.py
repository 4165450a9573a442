# SPDX-License-Identifier: Apache-2.0
"""What stands in two languages says the same: the same commands in the same order, and one word for one thing."""

import re

import pytest

from kit import documents
from kit.documents import DOCS, PAGES
from kit.gateway import ROOT, run_binary

pytestmark = pytest.mark.once("documents and what they show")

CHINESE = [page for page in PAGES if page.parent.name == "zh" or page.name.endswith("zh-CN.md")]
ENGLISH = [page for page in PAGES if page not in CHINESE]
TWINS = [("README.md", "README.zh-CN.md"), ("docs/scenarios.md", "docs/zh/test-cases.md")]
# Commands of the Chinese pages that are not run with those of the English ones (test_shown_output, test_first_minutes),
# and the test that runs them; nothing: they are about the machine itself.
RUN_BY = {
    "./dev build": "", "systemctl": "", "gatehouse serve": "ops/test_start.py", "curl": "ops/test_first_minutes.py",
    "python3 -m websockets": "ops/test_first_minutes.py", "./dev package": "ops/test_package.py",
    "gatehouse check": "ops/test_config_commands.py", "gatehouse config": "ops/test_config_commands.py",
    "gatehouse reload": "deploy/test_the_page.py", "gatehouse upgrade": "deploy/test_the_page.py",
    "gatehouse drain": "deploy/test_the_page.py", "gatehouse doctor": "ops/test_doctor.py",
}
WORDS = (ROOT / "src" / "diag" / "report_words.h").read_text()


def commands(text: str) -> list[str]:
    """Of shells' blocks, each as it is typed, but for the language of a report and for progress."""
    found = []
    for _, language, block in documents.FENCED.findall(text):
        if language == "sh":
            found += documents.without_comments(block).splitlines()
        elif language == "console":
            found += [command for command, _ in documents.prompts(block)]
    return [re.sub(r" --lang zh| -q(?= )", "", command) for command in found]


@pytest.mark.parametrize("english, chinese", TWINS)
def test_twins_have_the_same_blocks_in_the_same_order(english, chinese):
    one, other = ([documents.without_comments(block) for block in documents.blocks((ROOT / name).read_text())]
                  for name in (english, chinese))
    assert one == other


@pytest.mark.parametrize("english, chinese", TWINS)
def test_twins_have_as_many_titles_and_rows(english, chinese):
    one, other = (documents.FENCED.sub("", (ROOT / name).read_text()) for name in (english, chinese))
    for pattern in r"(?m)^#+", r"(?m)^\|", r"(?m)^- ":
        assert len(re.findall(pattern, one)) == len(re.findall(pattern, other)), pattern


@pytest.mark.parametrize("page", CHINESE, ids=documents.name_of)
def test_commands_stand_in_an_english_page_too(page):
    known = {command for one in ENGLISH for command in commands(one.read_text())}
    texts = "\n".join(one.read_text() for one in ENGLISH)
    for command in commands(page.read_text()):
        assert command in known or command in texts, f"{page.name}: $ {command}"


def test_commands_are_run():
    run = {command for name in ("README.md", "docs/troubleshooting.md") for command in commands((ROOT / name).read_text())}
    for page in CHINESE:
        for command in commands(page.read_text()):
            if command in run:
                continue
            test = next((test for start, test in RUN_BY.items() if command.startswith(start)), None)
            assert test is not None, f"{page.name}: nobody runs {command}"
            word = command.split()[0 if command.startswith(("curl", "python3")) else 1]
            assert not test or word in (ROOT / "tests" / "e2e" / test).read_text(), f"{test} runs no {word}"


def test_the_guide_tells_the_story_in_the_same_order():
    """Of its commands those that the English page has in its story come in that order."""
    story = commands(documents.section((DOCS / "troubleshooting.md").read_text(), "The story of the three rounds"))
    guide = commands((DOCS / "zh" / "performance-bottleneck-guide.md").read_text())
    places = [guide.index(command) for command in story]
    assert places == sorted(places)


def test_the_guide_has_the_form_of_the_report():
    guide = (DOCS / "zh" / "performance-bottleneck-guide.md").read_text()
    assert guide.startswith("# 性能瓶颈排查指南\n")
    titles = re.findall(r"(?m)^## (.*)$", guide)
    assert [re.split("[：，]", title)[0] for title in titles] == \
        ["背景", "初步检查", "假设", "第一轮", "第二轮", "第三轮", "根本原因", "解决办法", "验证", "让程序写这份报告", "先查什么"]
    for said in "背景", "根本原因", "解决办法", "验证", "已排除", "已证实", "无法判断", "前后对比":
        assert said in guide and said in WORDS, f"the program says another word for {said}"


def test_one_word_means_one_thing():
    """What the glossary calls something, the program's report and the other pages call it too."""
    glossary = documents.section((DOCS / "zh" / "quick-start.md").read_text(), "术语")
    rows = re.findall(r"(?m)^\| ([^|]+) \| ([^|]+) \|", glossary)[2:]
    assert len(rows) > 15
    for term in "测试端", "服务端", "文件描述符", "握手", "回显", "保持", "断开", "连接跟踪", "假设", "证据", "根本原因", "连接数":
        assert term in glossary, term
        assert term in WORDS, f"the report does not say {term}"
    for page in CHINESE:
        text = documents.FENCED.sub("", page.read_text()).replace("也叫句柄", "")
        for other in "句柄", "压测端", "回声", "根因", "慢客户端", "平滑升级", "优雅停机", "优雅关闭", "最大连结":
            assert other not in text, f"{page.name}: {other}; the glossary has another word"


def half_width(text: str) -> str | None:
    """The first place where punctuation beside Chinese is not Chinese."""
    plain = re.sub(r"`[^`\n]*`|\]\([^)]*\)", "`", documents.FENCED.sub("", text))
    found = re.search(r".{0,20}([\u4e00-\u9fff] ?[,;:?!()]|[,;:?!(] ?[\u4e00-\u9fff]).{0,20}", plain)
    return found and found[0]


def test_reports_have_chinese_punctuation(tmp_path):
    report = tmp_path / "report.md"
    for connections in "10", "1000000":
        run_binary("doctor", "--connections", connections, "--report", report, "--lang", "zh")
        assert half_width(report.read_text()) is None
        run_binary("bench", "ws://127.0.0.1:1/{n}", "-q", "-c", connections[:2], "--report", report, "--lang", "zh")
        assert half_width(report.read_text()) is None


def test_punctuation_is_chinese():
    for page in CHINESE:
        text = re.sub(r"`[^`\n]*`|\]\([^)]*\)", "`", documents.FENCED.sub("", page.read_text()))
        assert half_width(page.read_text()) is None, page.name
        # A line's end is a space for who reads it in a browser.
        torn = re.search(r".*[\u4e00-\u9fff]\n(?=[^\n|#`<-])", text)
        assert torn is None, f"{page.name}: {torn[0]!r}"
