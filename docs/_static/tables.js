// Tables are sorted by a click on the head of a column; long ones have a field that filters rows.
"use strict";

const ROWS_WITH_FILTER = 12;

function sortKey(cell) {
  const text = cell.textContent.trim().replace(/(\d),(?=\d{3})/g, "$1");
  const number = parseFloat(text);
  return Number.isNaN(number) ? text : number;
}

function compare(first, second) {
  if (first === "" || second === "") return (first === "") - (second === "");
  const areNumbers = typeof first === "number" && typeof second === "number";
  return areNumbers ? first - second : String(first).localeCompare(String(second));
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.tabIndex = 0;
    head.title = "Sort by this column";
    const sort = () => {
      const direction = head.ariaSort === "ascending" ? "descending" : "ascending";
      heads.forEach((other) => (other.ariaSort = null));
      head.ariaSort = direction;
      const sign = direction === "ascending" ? 1 : -1;
      const key = (row) => sortKey(row.cells[column]);
      const rows = [...table.tBodies[0].rows];
      rows.sort((first, second) => sign * compare(key(first), key(second)));
      table.tBodies[0].append(...rows);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => event.key === "Enter" && sort());
  });
}

function addFilter(table) {
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "Filter rows";
  field.ariaLabel = "Filter the rows of the table";
  field.className = "table-filter";
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
  table.before(field);
}

for (const table of document.querySelectorAll("article table")) {
  if (!table.tHead || !table.tBodies.length) continue;
  makeSortable(table);
  if (table.tBodies[0].rows.length >= ROWS_WITH_FILTER) addFilter(table);
}
