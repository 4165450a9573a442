# SPDX-License-Identifier: Apache-2.0
"""What must hold of a page whatever is on it: it can be read, named and used, at any width."""

# Text whose colour is too near to what it lies on (WCAG 2.2, 1.4.3), as "ratio: text".
FAINT = """(() => {
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const rgb = (colour) => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = colour;
		canvas.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
		return [r, g, b, a / 255];
	};
	const luminance = (c) => {
		const [r, g, b] = c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ground = (element) => {
		for (let at = element; at !== null; at = at.parentElement) {
			const colour = rgb(getComputedStyle(at).backgroundColor);
			if (colour[3] === 1)
				return colour;
		}
		return [255, 255, 255, 1];
	};
	const found = [];
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const text = walker.currentNode.textContent.trim();
		const element = walker.currentNode.parentElement;
		if (text === "" || element.closest("noscript, option, .skip, :disabled") || !element.checkVisibility())
			continue;
		const style = getComputedStyle(element);
		const ink = rgb(element instanceof SVGElement ? style.fill : style.color);
		const below = ground(element);
		let share = 1;
		for (let at = element; at !== null; at = at.parentElement)
			share *= Number(getComputedStyle(at).opacity);
		const seen = ink.map((value, index) => value * share + below[index] * (1 - share));
		const [high, low] = [luminance(seen), luminance(below)].sort((a, b) => b - a);
		const ratio = (high + 0.05) / (low + 0.05);
		if (ratio < 4.5)
			found.push(`${ratio.toFixed(2)}: ${text.slice(0, 40)}`);
	}
	return found;
})()"""

# What sticks out of the window sideways, and does not lie in something that scrolls by itself.
WIDE = """(() => {
	const width = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth <= width)
		return [];
	return [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > width + 1 &&
		!e.closest(".scroll, .unseen, .tail")).map((e) => `${e.tagName}.${e.className}`).slice(0, 5);
})()"""

# Headings that skip a level, and ids that are there twice.
CROOKED = """(() => {
	const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter((e) => e.checkVisibility()).map((e) => Number(e.tagName[1]));
	const skips = levels.filter((level, at) => level > (levels[at - 1] ?? 0) + 1).map((level) => `h${level}`);
	const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
	return [...skips, ...ids.filter((id, at) => ids.indexOf(id) !== at)];
})()"""

CONTROLS = {"button", "link", "textbox", "searchbox", "combobox", "spinbutton", "checkbox", "meter", "region",
            "img", "log", "dialog", "navigation", "table"}


def nameless(page) -> list[str]:
    """Roles of what a screen reader has no name for."""
    nodes = page.ask("Accessibility.getFullAXTree")["nodes"]
    return [node["role"]["value"] for node in nodes if not node.get("ignored") and
            node.get("role", {}).get("value") in CONTROLS and not node.get("name", {}).get("value", "").strip()]


def assert_usable(page) -> None:
    assert page.run(FAINT) == []
    assert page.run(WIDE) == []
    assert page.run(CROOKED) == []
    assert nameless(page) == []
