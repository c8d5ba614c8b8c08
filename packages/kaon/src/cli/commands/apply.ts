import { KaonError } from '../../base/errors.ts'
import { defineCommand } from '../command.ts'
import { applyManifests } from '../deploy/apply-manifests.ts'
import { readManifestFiles } from '../manifest-files.ts'
import { formatData, nameOf } from '../output/print.ts'

export const apply = defineCommand({
  name: 'apply',
  description:
    'Makes resources what YAML or JSON files say: created where missing, changed where different, left alone otherwise. ' +
    "What a file no longer says is removed; what others set stays. A function's source.path is uploaded. Works like kubectl apply, on the same objects.",
  arguments: {},
  options: {
    file: {
      type: 'strings',
      short: 'f',
      value: 'FILE',
      description: 'A file, a folder, or - for standard input; may be repeated.',
      complete: 'files',
    },
  },
  examples: [
    { does: 'a file', line: 'kaon apply -f shop.yaml' },
    { does: 'a folder of them', line: 'kaon apply -f deploy/' },
    { does: 'from standard input', line: 'kaon get function hello -o yaml | kaon apply -f -' },
  ],
  async run(invocation) {
    const { options, api, terminal, settings, system } = invocation
    if (options.file.length === 0) throw new KaonError('usage', 'Say what to apply: --file FILE.', { hint: "See 'kaon apply --help'." })
    // All files are read before the first is applied: a broken one changes nothing.
    const items = await readManifestFiles(invocation, options.file)
    for await (const { outcome, object } of applyManifests({ api, files: system.files, namespace: settings.namespace }, items)) {
      const asData = settings.output !== undefined && !['table', 'wide', 'name'].includes(settings.output.kind)
      if (asData) terminal.out(await formatData(settings.output!, object))
      else terminal.out(`${nameOf(object)}${settings.output?.kind === 'name' ? '' : ` ${outcome}`}\n`)
    }
    return 0
  },
})
