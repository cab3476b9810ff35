// The staff page: what staff do goes up as small JSON frames. Nothing is kept and nothing is queued.
'use strict'

let n = 0
const link = Link(location.origin.replace(/^http/, 'ws') + '/ws', key => { n = 0; return JSON.stringify({ t: 'auth', k: key }) }, () => {})
const send = (t, rest) => link.send(JSON.stringify({ t, n: ++n, ...rest }))

addEventListener('submit', e => {
  e.preventDefault()
  const staff = document.getElementById('staff-id'), pin = document.getElementById('staff-pin')
  send('sign-in', { staff: staff.value, pin: pin.value })
  pin.value = ''
})

addEventListener('click', e => {
  const b = e.target.closest('button[data-t]')
  if (!b || b.disabled) return
  const t = b.dataset.t
  if (t === 'lang') { send(t, { reason: b.dataset.reason }); return }
  if (t === 'other') { send(t, { reason: b.dataset.reason }); return }
  if (t === 'represent') {
    const field = id => document.getElementById(id + '-' + b.dataset.case)
    const name = field('guardian'), reason = field('why'), relation = field('relation'), doc = field('document')
    if (!name.value.trim()) { name.focus(); return }
    send(t, { case: b.dataset.case, reason: reason.value, note: field('guardian-note').value, relation: relation.value, document: doc.value, name: name.value.trim() })
    name.value = ''
    return
  }
  if (t !== 'approve' && t !== 'refuse') { send(t); return }
  const reason = b.closest('fieldset').querySelector('input:checked')
  if (!reason) { b.closest('fieldset').querySelector('input').focus(); return }
  const note = document.getElementById('note-' + b.dataset.case)
  send(t, { case: b.dataset.case, reason: reason.value, note: note ? note.value : '' })
})
