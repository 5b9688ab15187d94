// Sorting and filtering on top of tables that are whole without it.
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => sort(table, head, column));
  });
}
function sort(table, head, column) {
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  const body = table.tBodies[0];
  const rows = Array.from(body.rows).sort((one, other) => {
    const first = key(one), second = key(other);
    const order = first !== "" && second !== "" && !isNaN(first) && !isNaN(second)
      ? first - second : first.localeCompare(second, undefined, { numeric: true });
    return down ? -order : order;
  });
  body.append(...rows);
}
for (const input of document.querySelectorAll(".filter input")) {
  input.parentElement.hidden = false;
  const table = document.getElementById(input.dataset.table);
  const status = input.parentElement.querySelector("[role=status]");
  const rows = Array.from(table.querySelectorAll("tbody tr")).filter((row) => row.querySelector("td"));
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(" ").filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const group = row.parentElement.querySelector("th")?.textContent ?? "";
      const text = (row.textContent + " " + group).toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    status.textContent = shown + " of " + rows.length + " rows";
  });
}
