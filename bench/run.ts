// `npm run bench [NAME …]`: what a user would compare, each against its peer or its limit in the same run. Prints Markdown; see README.md.
import { cpus, totalmem } from 'node:os'
import { firstAnswer } from './first-answer.ts'
import { idleMemory } from './idle-memory.ts'
import { throughput } from './throughput.ts'

const benches: Record<string, () => Promise<string>> = { 'first-answer': firstAnswer, throughput, 'idle-memory': idleMemory }
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(benches)

console.log(
  `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB; shipped defaults: limits, deadlines, metrics on, logs at info.`,
)
for (const name of wanted) {
  const bench = benches[name]
  if (bench === undefined) {
    console.error(`There is no bench '${name}'; there are ${Object.keys(benches).join(', ')}.`)
    process.exit(2)
  }
  console.log(`\n### ${name}\n`)
  console.log(await bench())
}
