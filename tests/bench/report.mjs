// SPDX-License-Identifier: Apache-2.0

/** 8123456 -> "8.12 M", 54321 -> "54.3 k". */
function short(figure) {
  if (figure >= 1e6) return `${(figure / 1e6).toPrecision(3)} M`;
  if (figure >= 1e3) return `${(figure / 1e3).toPrecision(3)} k`;
  return figure >= 100 ? figure.toFixed(0) : figure.toPrecision(3);
}

function bar(row) {
  if (row.bar === undefined) return "";
  const holds = row.most ? row.ours <= row.bar : row.ratio >= row.bar;
  return `${row.most ? "<= " : ">= "}${row.bar} ${holds ? "" : "MISSED"}`.trim();
}

/** The rows as people read them. A ratio is our figure over the peer's; more is better, unless the bar is an
 *  upper limit. */
export function table(rows) {
  const cells = [
    ["benchmark", "ours", "", "peer", "", "ratio", "bar"],
    ...rows.map((row) => [
      row.name,
      short(row.ours),
      row.unit,
      row.peer ?? "",
      row.theirs === undefined ? "" : short(row.theirs),
      row.ratio === undefined ? "" : row.ratio.toFixed(2),
      bar(row),
    ]),
  ];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const right = new Set([1, 4, 5]);
  return cells
    .map((row) =>
      row
        .map((cell, column) => (right.has(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
        .join("  ")
        .trimEnd(),
    )
    .map((line) => line + "\n")
    .join("");
}
