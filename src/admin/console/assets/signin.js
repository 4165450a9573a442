// SPDX-License-Identifier: Apache-2.0
// When the gateway wants a token, or lets nobody in from here.
import {forgetToken, setToken, token} from "./api.js";
import {el, labelled, setText} from "./dom.js";

const WRONG = "This is not the gateway's token.";

// onToken(): there is one to try. error: of the request that was refused.
export function signIn(error, onToken) {
	const wasWrong = token() !== null;
	if (wasWrong)
		forgetToken();
	const input = el("input", {type: "password", autocomplete: "off", spellcheck: "false", required: true,
		"aria-invalid": wasWrong ? "true" : null});
	const told = el("p", {class: "outcome bad", role: "alert"}, wasWrong ? WRONG : "");
	const form = el("form", {class: "card signin", on: {submit: (event) => {
		event.preventDefault();
		if (setToken(input.value))
			onToken();
		else
			setText(told, "A token has no spaces and no such characters; perhaps more than the token was copied.");
	}}}, el("h1", null, "This gateway wants its token"),
	el("p", null, "It is the line in the file that ", el("code", null, "admin.token_file"),
		" names, or the value of ", el("code", null, "GATEHOUSE_ADMIN_TOKEN"), "."),
	labelled("Token", input, {hint: "kept in this tab until it is closed, and sent in a header only"}),
	location.protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname) ? null :
		el("p", {class: "alert"}, "This page came without TLS: whoever is on the way can read the token."),
	told, el("button", {type: "submit", class: "main"}, "Open the console"));
	return {title: "Token", element: el("div", {class: "view"}, form), end() {}, focus: () => input.focus()};
}

export function shutOut(error, onAgain) {
	return {title: "Not from here", end() {}, element: el("div", {class: "view"}, el("div", {class: "card signin"},
		el("h1", null, "Not from here"), el("p", null, error.message),
		el("button", {type: "button", class: "main", on: {click: onAgain}}, "Try again")))};
}
