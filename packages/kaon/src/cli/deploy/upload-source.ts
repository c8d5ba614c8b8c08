import { type ApiClient, readText } from '../api-client.ts'
import { errorOfAnswer } from '../api-errors.ts'
import type { Archive } from '../source/archive.ts'

/** Puts an archive to a function's `source`; gives its digest. The function need not exist yet. */
export async function uploadSource(api: ApiClient, functionPath: string, archive: Archive): Promise<string> {
  const answer = await api.request('PUT', `${functionPath}/source`, {
    body: archive.body,
    headers: { 'content-type': 'application/x-tar' },
  })
  const text = await readText(answer.body)
  if (answer.status >= 400) throw errorOfAnswer(answer.status, answer.headers['content-type'], text, functionPath)
  return (JSON.parse(text) as { digest: string }).digest
}
