import type { ConfigMapResource, SecretResource } from '../model/core.ts'
import type { RevisionTemplate } from '../model/function.ts'

export type ReferenceLookup = {
  secret(name: string): SecretResource | undefined
  configMap(name: string): ConfigMapResource | undefined
}

export type ResolvedReferences = {
  env: Record<string, string>
  /** By `secret.key`. */
  secrets: Record<string, string>
  files: { path: string; contentBase64: string }[]
  /** What is named and not there, as a sentence each. */
  missing: string[]
}

type Reference = { name: string; key: string }
type Holder = { name?: string; path?: string; value?: string | undefined; secret?: Reference | undefined; config?: Reference | undefined }

/** The values behind env and files of a revision, as they are now. */
export function resolveReferences(spec: Pick<RevisionTemplate, 'env' | 'files'>, lookup: ReferenceLookup): ResolvedReferences {
  const resolved: ResolvedReferences = { env: {}, secrets: {}, files: [], missing: [] }
  const bytesOf = (holder: Holder): Buffer | undefined => {
    if (holder.secret !== undefined) {
      const bytes = secretValue(holder.secret, lookup, resolved.missing)
      if (bytes !== undefined) resolved.secrets[`${holder.secret.name}.${holder.secret.key}`] = bytes.toString('utf8')
      return bytes
    }
    if (holder.config !== undefined) return configValue(holder.config, lookup, resolved.missing)
    return Buffer.from(holder.value ?? '', 'utf8')
  }
  for (const variable of spec.env) {
    const bytes = bytesOf(variable)
    if (bytes !== undefined) resolved.env[variable.name] = bytes.toString('utf8')
  }
  for (const file of spec.files) {
    const bytes = bytesOf(file)
    if (bytes !== undefined) resolved.files.push({ path: file.path, contentBase64: bytes.toString('base64') })
  }
  return resolved
}

/** Whether the revision names this secret or config map. */
export function refersTo(spec: Pick<RevisionTemplate, 'env' | 'files'>, what: 'secret' | 'config', name: string): boolean {
  return [...spec.env, ...spec.files].some((holder) => holder[what]?.name === name)
}

function secretValue(reference: Reference, lookup: ReferenceLookup, missing: string[]): Buffer | undefined {
  const secret = lookup.secret(reference.name)
  if (secret === undefined) return tell(missing, `There is no secret '${reference.name}'.`)
  const text = secret.stringData?.[reference.key]
  if (text !== undefined) return Buffer.from(text, 'utf8')
  const encoded = secret.data?.[reference.key]
  return encoded === undefined ? tell(missing, `Secret '${reference.name}' has no key '${reference.key}'.`) : Buffer.from(encoded, 'base64')
}

function configValue(reference: Reference, lookup: ReferenceLookup, missing: string[]): Buffer | undefined {
  const config = lookup.configMap(reference.name)
  if (config === undefined) return tell(missing, `There is no config map '${reference.name}'.`)
  const text = config.data?.[reference.key]
  if (text !== undefined) return Buffer.from(text, 'utf8')
  const encoded = config.binaryData?.[reference.key]
  return encoded === undefined
    ? tell(missing, `Config map '${reference.name}' has no key '${reference.key}'.`)
    : Buffer.from(encoded, 'base64')
}

function tell(missing: string[], message: string): undefined {
  if (!missing.includes(message)) missing.push(message)
}
