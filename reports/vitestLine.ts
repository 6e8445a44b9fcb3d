/**
 * The command that runs one test again. What is saved of it is replayed first.
 */

/** The file as the working directory has it, and the name with those of the suites around it, between blanks. */
export const vitestLine = (file: string, name: string): string => {
  // The name is a pattern to vitest, and a word to the shell.
  const pattern = name.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)
  return `npx vitest run ${file} -t '${pattern.replaceAll("'", String.raw`'\''`)}'`
}
