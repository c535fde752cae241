"use strict";

const STATES = ["placed", "invoiced", "mailed"];
const form = document.getElementById("form");
const answer = document.getElementById("answer");
const connection = document.getElementById("connection");

function euros(cents) {
  return (cents / 100).toFixed(2);
}

// Make or update the row of an order. An answer that is older than an event must not turn its state back.
function show(order) {
  let row = document.getElementById(`order-${order.id}`);
  if (!row) {
    row = document.createElement("tr");
    row.id = `order-${order.id}`;
    for (const text of [order.id, order.customer, `${order.quantity} x ${order.product}`, euros(order.cents), "", ""]) {
      row.insertCell().textContent = text;
    }
    document.getElementById("orders").prepend(row);
  }
  if (STATES.indexOf(order.state) <= STATES.indexOf(row.dataset.state)) return;
  row.dataset.state = order.state;
  row.cells[4].textContent = order.state;
  if (order.state !== "placed" && !row.cells[5].firstChild) {
    const link = document.createElement("a");
    link.href = `/invoices/${order.id}.pdf`;
    link.textContent = "PDF";
    row.cells[5].append(link);
  }
}

function showReport(report) {
  document.getElementById("report").textContent =
    `Last report: ${report.orders} orders, ${euros(report.cents)} EUR`;
}

const events = new EventSource("/events");

// From here on every event arrives, so the list and the events together miss nothing.
events.onopen = async () => {
  const list = await (await fetch("/orders")).json();
  list.orders.forEach(show);
  if (list.report) showReport(list.report);
  connection.textContent = "live";
};

events.onerror = () => {
  connection.textContent = "connecting";  // the browser connects again by itself
};

events.onmessage = (event) => {
  const change = JSON.parse(event.data);
  if (change.order) show(change.order);
  if (change.report) showReport(change.report);
};

form.onsubmit = async (event) => {
  event.preventDefault();
  const order = Object.fromEntries(new FormData(form));
  order.quantity = Number(order.quantity);
  const response = await fetch("/orders", {
    method: "POST",
    headers: {"content-type": "application/json"},
    body: JSON.stringify(order),
  });
  answer.textContent = response.ok ? `Order ${(await response.json()).id} is placed.` : "The order was refused.";
};
