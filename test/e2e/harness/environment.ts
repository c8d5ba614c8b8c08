import { join } from 'node:path'

const passed = /^(PATH|LANG|TMPDIR|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR|(https?|no|all)_proxy)$/i

/** What a program under test gets of this process's environment: where programs are and how the network is reached, nothing else. */
export function plainEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => passed.test(entry[0]) && entry[1] !== undefined),
  )
}

/** The machine's npm settings and cache under another home. */
export function npmEnvironment(): Record<string, string> {
  const home = process.env.HOME ?? ''
  return {
    npm_config_cache: process.env.npm_config_cache ?? join(home, '.npm'),
    npm_config_userconfig: process.env.npm_config_userconfig ?? join(home, '.npmrc'),
  }
}
