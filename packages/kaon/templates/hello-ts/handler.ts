import type { Context, Event } from '@kaon/sdk'

/** Greets whoever is named: in the query (`?name=Ada`), or in a JSON body (`{"name":"Ada"}`). */
export default function hello(event: Event, context: Context): { greeting: string } {
  const name = event.query.get('name') ?? (event.body.length > 0 ? event.json<{ name?: string }>().name : undefined) ?? 'world'
  context.logger.info('greeting', { name })
  return { greeting: `Hello, ${name}!` }
}
