/** Find the library of the engine. */
export function findLibrary(packageFolder: string, explicit?: string): string;
