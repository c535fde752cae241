/** Answer the calls of standard input through a package of honker. */
export function main(api: object): Promise<void>;
