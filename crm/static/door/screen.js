// Small things that both pages of the door do with what is on the screen.

export const $ = (selector) => document.querySelector(selector)
const all = (selector) => document.querySelectorAll(selector)

export function show(id, wanted = true) {
  $(`#${id}`).hidden = !wanted
}

export function fillWordings(about) {
  for (const { channel, text } of about.news) {
    for (const place of all(`[data-wording="${channel}"]`)) place.textContent = text
  }
}

// Enter in a field presses the button of its part, as in a form.
export function enterPresses() {
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.isComposing || !event.target.matches('input')) return
    const part = event.target.closest('[data-enter]')
    if (!part) return
    event.preventDefault()
    $(`#${part.dataset.enter}`).click()
  })
}

export function complain(id, words) {
  const message = $(`#${id}-error`)
  message.textContent = words
  message.hidden = false
  const field = $(`#${id}`)
  if (field.matches('input')) field.setAttribute('aria-invalid', 'true')
  field.focus()
}

export function clearComplaints() {
  for (const message of all('.govuk-error-message')) {
    message.textContent = ''
    message.hidden = true
  }
  for (const field of all('[aria-invalid]')) field.removeAttribute('aria-invalid')
}

// Empties every field, and leaves nothing of what was typed in the page.
export function clearFields() {
  for (const field of all('input, textarea')) {
    if (field.type === 'radio' || field.type === 'checkbox') field.checked = 'first' in field.dataset
    else field.value = ''
  }
  clearComplaints()
}

export const typed = (id) => $(`#${id}`).value.trim()
export const chosen = (name) => $(`input[name="${name}"]:checked`)?.value

export function ticked(about) {
  const versions = Object.fromEntries(about.news.map((one) => [one.channel, one.version]))
  const yes = [...all('[data-news]:checked')].map((box) => box.dataset.news)
  return Object.fromEntries(yes.map((channel) => [channel, versions[channel]]))
}

// What is wrong with a way to reach somebody, or nothing. A number that only looks unusual is taken.
export function wrongWithReach(reach) {
  if (!reach) return ''
  if (reach.includes('@')) {
    return /^[^@\s]+@[^@\s]+\.[^@\s.]+$/.test(reach) ? '' : 'Check the email address: it looks like maya@example.org'
  }
  const digits = reach.replace(/\D/g, '')
  if (/[^\d\s()+.\-/]/.test(reach)) return 'Write a phone number, like 07700 900 123, or an email address'
  if (digits.length < 9 || digits.length > 15) return `This number has ${digits.length} digits. UK numbers have 11, like 07700 900 123`
  return ''
}

export const clock = (at) => {
  const time = new Date(at).toLocaleTimeString('en-GB', { hour: 'numeric', minute: '2-digit', hour12: true, timeZone: 'Europe/London' })
  return time.replace(':00', '').replace(/\s/, '')
}

export const many = (count, one, more = `${one}s`) => `${count} ${count === 1 ? one : more}`

export function showWaiting(waiting) {
  for (const place of all('[data-waiting]')) place.textContent = waiting
}
