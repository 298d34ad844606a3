// The page's own endpoints. They play the terminal network through the biller's real HTTP door.

/** POST `order` to one endpoint of `face`. Returns the reply; throws an Error whose message is a key of the texts. */
export async function ask(what, order, face = "kiosk") {
  let response;
  try {
    response = await fetch(`/${face}/api/${what}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(order),
    });
  } catch {
    throw new Error("error.page");
  }
  const reply = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(reply.error ?? "error.page");
  return reply;
}
