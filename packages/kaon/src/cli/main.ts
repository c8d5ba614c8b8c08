import { createHost } from '../app/host.ts'
import { runCli } from './run-cli.ts'

const host = createHost()
host.exit(await runCli(host))
