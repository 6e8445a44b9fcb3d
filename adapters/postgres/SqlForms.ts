/**
 * Statements whose form was seen before are not translated again: their text is at hand, one string for all of them, and only
 * their values are read.
 *
 * - F1 A form is what the text depends on: label, fences by number, whether a project is told, structure, tables, columns, operators, directions, locks,
 *   how many of each, and the kinds of plain values where nothing else gives the kind. It is spelled as a sequence of words in which a
 *   tag or a number always says what follows, and words are compared one by one: no name and no value can pass for another form.
 * - F2 The values of a statement stand in the order in which the translation writes them. Each is checked as at the first time.
 * - F3 What throws is never kept, nor is a form of very many words; when all forms together have too many, all are forgotten.
 */
import type { Condition, Expression } from "../../core/ports/Condition.ts"
import type { Assignments, Fence, Statement } from "../../core/ports/Storage.ts"
import { kindAmong, kindOfValue } from "../../core/storage/Kinds.ts"
import { isRead } from "../../core/storage/checkStatement.ts"
import { type Form, type Sql, type Tables, type Told, fill, layoutOf, toSql } from "./Sql.ts"

/** The labelled statements of one storage. */
export class SqlForms {
  readonly #tables: Tables
  readonly #wordsMax: number
  readonly #forms = new Prefixes<Form>()

  /** `wordsMax`: of all forms that are kept, where they differ. */
  constructor(tables: Tables, wordsMax = 32_768) {
    this.#tables = tables
    this.#wordsMax = wordsMax
  }

  /** `toSql`, labelled. Throws `StatementDefect`. */
  of(label: string, statement: Statement, gate: ReadonlyArray<Fence> = [], told?: Told): Sql {
    const walk = new Walk(this.#tables)
    walk.words.push(label, gate.length, told?.isAlone ?? "for nobody")
    if (!walk.statement(statement, gate, told?.project) || walk.words.length > formWordsMax) {
      return labelled(label, toSql(statement, this.#tables, gate, told))
    }
    const known = this.#forms.get(walk.words)
    if (known !== undefined) return { text: known.text, parameters: filled(known, walk.values) }
    const made = labelled(label, toSql(statement, this.#tables, gate, told))
    this.#keep(walk.words, made)
    return made
  }

  /** Whether it touches a table whose rows belong to projects. */
  isOfTenants(statement: Statement): boolean {
    return "table" in statement && this.#tables.get(statement.table)?.tenant !== undefined
  }

  /** BEGIN, COMMIT or ROLLBACK, labelled. */
  control(label: string, text: string): Sql {
    const words = [label, text]
    const known = this.#forms.get(words)
    if (known !== undefined) return { text: known.text, parameters: [] }
    const made = labelled(label, { text, parameters: [], slots: [] })
    this.#keep(words, made)
    return made
  }

  /** How many words are kept. */
  get words(): number {
    return this.#forms.size
  }

  #keep(words: ReadonlyArray<Word>, { slots, text }: Form): void {
    if (this.#forms.size + words.length > this.#wordsMax) this.#forms.clear()
    this.#forms.set(words, { text, slots })
  }
}

/** Many rows in one insert; they seldom are as many again. */
const formWordsMax = 1_024

/** The feed's trigger looks no further than that for it. */
const labelMax = 200

function labelled<A extends Sql>(label: string, sql: A): A {
  return { ...sql, text: `/* ${label.slice(0, labelMax).replaceAll(/[^\w./: -]/g, "_")} */ ${sql.text}` }
}

function filled({ slots }: Form, values: ReadonlyArray<unknown>) {
  return slots.map((slot, index) => fill(slot, values[index]))
}

type Word = string | number | boolean

/** One walk over a statement: the words of its form, and its values. */
class Walk {
  readonly words: Array<Word> = []
  readonly values: Array<unknown> = []
  readonly #tables: Tables

  constructor(tables: Tables) {
    this.#tables = tables
  }

  /** False when the statement cannot be translated. */
  statement(statement: Statement, gate: ReadonlyArray<Fence>, project: string | undefined): boolean {
    const { values, words } = this
    words.push(statement._tag)
    if (statement._tag === "Fence") {
      values.push(statement.fences, statement.fences)
      return true
    }
    words.push(statement.table)
    switch (statement._tag) {
      case "Select":
        this.#condition(statement.where)
        words.push(statement.orderBy.length)
        for (const { column, direction } of statement.orderBy) words.push(column, direction)
        words.push(statement.limit !== undefined, statement.lock ?? false, statement.skipLocked)
        if (statement.limit !== undefined) values.push(statement.limit)
        break
      case "Count":
      case "Delete":
        this.#condition(statement.where)
        break
      case "Update":
        this.#assignments(statement.set)
        this.#condition(statement.where)
        break
      case "Insert":
        if (!this.#insert(statement)) return false
    }
    for (const { epoch, lease } of gate) values.push(lease, epoch)
    if (gate.length > 0 && !isRead(statement)) values.push(gate)
    if (project !== undefined) values.push(project)
    return true
  }

  #insert({ onConflict, rows, table: name }: Extract<Statement, { readonly _tag: "Insert" }>): boolean {
    const { values, words } = this
    const table = this.#tables.get(name)
    if (table === undefined) return false
    const { entries } = layoutOf(table)
    words.push(rows.length)
    if (rows.length === 0) return true
    for (const row of rows) {
      let known = 0
      for (const [column] of entries) {
        if (Object.hasOwn(row, column)) known++
        const expression = row[column]
        if (expression === undefined) {
          words.push(false)
          values.push(null)
        } else this.#assigned(expression)
      }
      if (known !== Object.keys(row).length) return false
    }
    if (onConflict === undefined) words.push(false)
    else {
      words.push(onConflict._tag, onConflict.target.length, ...onConflict.target)
      if (onConflict._tag === "Update") {
        this.#assignments(onConflict.set)
        this.#condition(onConflict.where)
      }
    }
    return true
  }

  #assignments(set: Assignments): void {
    const columns = Object.keys(set)
    this.words.push(columns.length)
    for (const column of columns) {
      this.words.push(column)
      const expression = set[column]
      if (expression === undefined) this.words.push(false)
      else this.#assigned(expression)
    }
  }

  /** A value takes the kind of its column. */
  #assigned(expression: Expression<unknown>): void {
    if (expression._tag === "Value") {
      this.words.push("Value")
      this.values.push(expression.value)
    } else this.#expression(expression)
  }

  #condition(condition: Condition): void {
    const { values, words } = this
    switch (condition._tag) {
      case "Compare":
        words.push(condition.operator)
        this.#expression(condition.left)
        this.#expression(condition.right)
        return
      case "And":
      case "Or":
        words.push(condition._tag, condition.conditions.length)
        for (const part of condition.conditions) this.#condition(part)
        return
      case "Not":
        words.push("Not")
        this.#condition(condition.condition)
        return
      case "In":
        words.push("In")
        this.#expression(condition.expression)
        if (condition.expression._tag === "Value") words.push(kindAmong(condition.values) ?? false)
        values.push(condition.values)
        return
      case "IsNull":
        words.push("IsNull")
        this.#expression(condition.expression)
    }
  }

  #expression(expression: Expression<unknown>): void {
    const { values, words } = this
    words.push(expression._tag)
    switch (expression._tag) {
      case "Value":
        words.push(kindOfValue(expression.value) ?? false)
        values.push(expression.value)
        return
      case "Column":
        words.push(expression.from, expression.name)
        return
      case "Arithmetic":
        words.push(expression.operator)
        this.#expression(expression.left)
        this.#expression(expression.right)
    }
  }
}

/** Found by sequences of words, none of which begins another: one step for each word, most of them to an only child. */
class Prefixes<A> {
  #root = new Prefix<A>(false)
  /** How many words are kept, common beginnings once. */
  size = 0

  get(words: ReadonlyArray<Word>): A | undefined {
    let at: Prefix<A> | undefined = this.#root
    for (const word of words) {
      at = at.first?.word === word ? at.first : at.others?.get(word)
      if (at === undefined) return undefined
    }
    return at.found
  }

  set(words: ReadonlyArray<Word>, found: A): void {
    let at = this.#root
    for (const word of words) {
      let next: Prefix<A> | undefined = at.first?.word === word ? at.first : at.others?.get(word)
      if (next === undefined) {
        next = new Prefix(word)
        this.size++
        if (at.first === undefined) at.first = next
        else (at.others ??= new Map()).set(word, next)
      }
      at = next
    }
    at.found = found
  }

  clear(): void {
    this.#root = new Prefix(false)
    this.size = 0
  }
}

class Prefix<A> {
  readonly word: Word
  first: Prefix<A> | undefined
  others: Map<Word, Prefix<A>> | undefined
  found: A | undefined

  constructor(word: Word) {
    this.word = word
  }
}
