/** What never belongs to a function's source. `.env` files hold secrets: they come as secrets or with --env. */
export const builtInIgnores = ['.git/', 'node_modules/', '.DS_Store', '.env', '.env.*', '*.tsbuildinfo', '.kaonignore']

export type IgnoreRules = (path: string, isFolder: boolean) => boolean

/**
 * Rules in the language of .gitignore: comments, `!` takes back, a trailing `/` means folders, a `/` before or within
 * ties the rule to the root, `*`, `**`, `?` and `[a-z]`. The last rule that matches decides.
 */
export function parseIgnoreRules(lines: readonly string[]): IgnoreRules {
  const rules = lines
    .map((line) => line.replace(/(?<!\\)\s+$/, ''))
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(parseRule)
  return (path, isFolder) => {
    let isIgnored = false
    for (const rule of rules) if ((isFolder || !rule.onlyFolders) && rule.pattern.test(path)) isIgnored = !rule.takesBack
    return isIgnored
  }
}

function parseRule(line: string): { pattern: RegExp; onlyFolders: boolean; takesBack: boolean } {
  const takesBack = line.startsWith('!')
  const text = (takesBack ? line.slice(1) : line).replace(/^\\(?=[#!])/, '')
  const onlyFolders = text.endsWith('/')
  const glob = text.replace(/\/$/, '')
  const isTied = glob.includes('/')
  return { pattern: new RegExp(`^${isTied ? '' : '(?:.*/)?'}${globToPattern(glob.replace(/^\//, ''))}$`), onlyFolders, takesBack }
}

function globToPattern(glob: string): string {
  return glob.replace(/\*\*\/|\/\*\*$|\*\*|\*|\?|\[!?[^\]]+\]|\\.|[.+^${}()|\\[\]]/g, (token) => {
    if (token === '**/') return '(?:.*/)?'
    if (token === '/**') return '/.*'
    if (token === '**') return '.*'
    if (token === '*') return '[^/]*'
    if (token === '?') return '[^/]'
    if (token.startsWith('[') && token.length > 1) return token.replace(/^\[!/, '[^')
    return token.startsWith('\\') && token.length > 1 ? token : `\\${token}`
  })
}
