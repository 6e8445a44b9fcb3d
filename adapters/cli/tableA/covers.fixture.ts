/**
 * Who covers what: a comment `covers` with the names of rows, on a line of its own above a test, a scenario, an invariant or a mutant. What it stands above is
 * called by the first text in quotation marks that follows, which is where each of them says its name.
 */
import type { Row } from "./tableA.fixture.ts"

export interface Cover {
  readonly rows: ReadonlyArray<string>
  /** Relative to the root of the repository. */
  readonly file: string
  readonly name: string
}

export interface Source {
  readonly file: string
  readonly text: string
}

const marker = /^[ \t]*\/\/ covers (A\d.*)$/gm
/** Within three lines. */
const firstText = /^(?:[^\n"`]*\n){0,3}[^\n"`]*(["`])(?<name>[^\n]+?)\1/

/** The markers of a source. Throws on one that stands above nothing, or that is not a list of rows. */
export const coversOf = ({ file, text }: Source): ReadonlyArray<Cover> =>
  [...text.matchAll(marker)].map(({ 0: line, 1: list = "", index }) => {
    const name = firstText.exec(text.slice(index + line.length + 1))?.groups?.["name"]
    if (!/^A\d+(, A\d+)*$/.test(list)) throw new Error(`${file}: "${line.trim()}" is no list of rows`)
    if (name === undefined) throw new Error(`${file}: "${line.trim()}" stands above nothing that has a name`)
    return { rows: list.split(", "), file, name }
  })

/** What is wrong, one line each: a marker of a row that is not there, and a row that nothing covers and that does not say so. */
export const problems = (rows: ReadonlyArray<Row>, covers: ReadonlyArray<Cover>): ReadonlyArray<string> => [
  ...covers.flatMap(({ file, name, rows: named }) =>
    named
      .filter((id) => !rows.some((row) => row.id === id))
      .map((id) => `${file}: "${name}" covers ${id}, which is no row`)
  ),
  ...rows
    .filter(({ id, missing }) => missing === undefined && !covers.some((cover) => cover.rows.includes(id)))
    .map(({ id }) => `${id} is covered by nothing`)
]

/** As Markdown. */
export const tableOf = (rows: ReadonlyArray<Row>, covers: ReadonlyArray<Cover>): string =>
  [
    "| Row | What must hold | What shows it |",
    "|---|---|---|",
    ...rows.map(({ id, missing, title }) => {
      const shown = covers
        .filter((cover) => cover.rows.includes(id))
        .map(({ file, name }) => `${kindOf(file)} [${cell(name)}](../${file})`)
      return `| ${id} | ${title} | ${[...shown, ...(missing === undefined ? [] : [`open: ${missing}`])].join("<br>")} |`
    })
  ].join("\n")

function kindOf(file: string): string {
  if (/\.(test|fixture)\.ts$/.test(file)) return "test"
  if (file.startsWith("core/invariants/")) return "invariant"
  return file.startsWith("scenarios/mutants/") ? "mutant" : "scenario"
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("[", "\\[").replaceAll("]", "\\]")
