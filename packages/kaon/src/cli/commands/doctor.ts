import { defineCommand } from '../command.ts'
import { checks, type Finding } from '../doctor-checks.ts'
import { formatData } from '../output/print.ts'

export const doctor = defineCommand({
  name: 'doctor',
  description:
    'Looks at this machine, the data folder and the server, and says for each thing that is wrong how to mend it. Exits with 1 when something is.',
  arguments: {},
  options: {
    data: { type: 'string', value: 'FOLDER', description: 'The data folder to look at.', environment: 'KAON_DATA', complete: 'files' },
    port: {
      type: 'integer',
      value: 'PORT',
      range: [1, 65_535],
      default: 8070,
      description: 'The port of the API.',
      environment: 'KAON_PORT',
    },
    'gateway-port': {
      type: 'integer',
      value: 'PORT',
      range: [1, 65_535],
      default: 8080,
      description: 'The port of the gateway.',
      environment: 'KAON_GATEWAY_PORT',
    },
  },
  examples: [
    { does: 'everything', line: 'kaon doctor' },
    { does: 'for a script', line: 'kaon doctor -o jsonpath=\'{range .checks[?(@.state=="failed")]}{.name}{"\\n"}{end}\'' },
  ],
  async run(invocation) {
    const { settings, terminal, options } = invocation
    const { style } = { style: terminal.outStyle }
    const marks = { ok: style.green('✓'), info: style.blue('i'), warning: style.yellow('!'), failed: style.red('✗') }
    const isData = settings.output?.kind === 'json' || settings.output?.kind === 'yaml' || settings.output?.kind === 'jsonpath'
    const findings: (Finding & { name: string })[] = []
    const look = await checks(invocation, options)
    for (const { name, check } of look) {
      const finding = await check().catch(
        (error: Error): Finding => ({ state: 'failed', found: `could not be looked at: ${error.message}` }),
      )
      findings.push({ name, ...finding })
      if (isData || (settings.isQuiet && finding.state !== 'failed')) continue
      terminal.out(`${marks[finding.state]} ${name.padEnd(18)} ${finding.found}\n`)
      if (finding.mend !== undefined) terminal.out(`  ${' '.repeat(18)} ${style.cyan('try:')} ${finding.mend}\n`)
    }
    if (isData) terminal.out(await formatData(settings.output!, { checks: findings }))
    return findings.some(({ state }) => state === 'failed') ? 1 : 0
  },
})
