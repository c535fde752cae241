/** Apply the settings of a connection through a function that runs SQL. */
export function applyPragmas(exec: (sql: string) => void): void;
