/** The text without passwords in addresses and without npm's credentials, for logs and messages that quote what a tool printed. */
export function redactCredentials(text: string): string {
  return text
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/\s@]+@/gi, '$1***@')
    .replace(/(_auth(?:Token)?|_password|authorization)(["']?\s*[=:]\s*)(?:(?:bearer|basic)\s+)?\S+/gi, '$1$2***')
    .replace(/\b(npm_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,})\b/g, '***')
}
