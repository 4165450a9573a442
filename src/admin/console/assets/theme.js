// SPDX-License-Identifier: Apache-2.0
// Before anything is drawn: the theme that was chosen, so that no page flashes in the other one.
"use strict";
try {
	const chosen = localStorage.getItem("gatehouse-theme");
	if (chosen === "light" || chosen === "dark")
		document.documentElement.dataset.theme = chosen;
} catch {
	// No storage: the system's theme it is.
}
