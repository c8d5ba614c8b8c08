import { readFileSync } from 'node:fs'
import type { Context, Event } from '@kaon/sdk'

type Settings = { currency: string; goals: Record<string, number> }
type Sale = { product: string; amount: number }

let settings: Settings

/** Once in each worker, before the first event: the file comes from a config map. */
export function init() {
  settings = JSON.parse(readFileSync('settings.json', 'utf8'))
}

/**
 * A job for the night: totals by product against their goals. Today it is called by hand or by any scheduler that can POST;
 * the cron trigger in kaon.yaml waits for the event sources.
 */
export default function report(event: Event, context: Context) {
  const sales = event.json<Sale[]>()
  const wrong = Array.isArray(sales) ? sales.findIndex((sale) => typeof sale?.product !== 'string' || typeof sale?.amount !== 'number') : 0
  if (wrong !== -1) throw Object.assign(new Error(`Sale ${wrong} is not { product: string, amount: number }.`), { status: 422 })
  const totals = new Map<string, number>()
  for (const { product, amount } of sales) totals.set(product, (totals.get(product) ?? 0) + amount)
  const lines = [...totals]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([product, total]) => {
      const goal = settings.goals[product]
      return `${product}: ${total.toFixed(2)} ${settings.currency}${goal === undefined ? '' : total >= goal ? ' (goal met)' : ` (${(goal - total).toFixed(2)} short)`}`
    })
  context.logger.info('report made', { products: totals.size, sales: sales.length })
  context.metrics.counter('reports_made_total')
  return `${lines.join('\n')}\n`
}
