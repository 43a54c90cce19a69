/* Sending, and what is kept of it. Not when to send (connection.c). Threads: the connection's worker.
 * Memory: the unsent bytes, copied; the value is the store's, and charged for by who attached it. */
#include "outgoing.h"

bool outgoing_is_empty(const struct outgoing *outgoing)
{
    return outgoing->unsent.size == 0 && outgoing->value == NULL;
}

void outgoing_attach(struct outgoing *outgoing, struct value_block *value, size_t at)
{
    outgoing->value = value;
    outgoing->value_at = at;
}

static size_t value_size(const struct outgoing *outgoing)
{
    return outgoing->value == NULL ? 0 : attached_bytes(outgoing->value).size;
}

/* Add what is not sent of `piece`; *sent is the part of n_sent that earlier pieces do not account for.
 * Returns false when nothing behind it may be sent now. */
static bool add_piece(struct slice *pieces, size_t *n_pieces, struct slice piece, size_t *sent)
{
    size_t skipped = *sent < piece.size ? *sent : piece.size;
    struct slice rest = slice_from(piece, skipped);
    bool is_cut = rest.size > OUTGOING_SEND_MAX;

    *sent -= skipped;
    if (rest.size > 0) {
        pieces[(*n_pieces)++] = is_cut ? slice_first(rest, OUTGOING_SEND_MAX) : rest;
    }
    return !is_cut;
}

static size_t find_pieces(const struct outgoing *outgoing, struct slice bytes, struct slice *pieces)
{
    size_t sent = outgoing->n_sent;
    size_t n_pieces = 0;

    if (outgoing->value == NULL) {
        (void)add_piece(pieces, &n_pieces, bytes, &sent);
    } else if (add_piece(pieces, &n_pieces, slice_first(bytes, outgoing->value_at), &sent) &&
               add_piece(pieces, &n_pieces, attached_bytes(outgoing->value), &sent)) {
        (void)add_piece(pieces, &n_pieces, slice_from(bytes, outgoing->value_at), &sent);
    }
    return n_pieces;
}

/* The value is sent: only bytes are left to count. */
static void release_sent_value(struct outgoing *outgoing, const struct command_shared *shared)
{
    size_t size = value_size(outgoing);

    if (outgoing->value != NULL && outgoing->n_sent >= outgoing->value_at + size) {
        attached_release(shared, &outgoing->value);
        outgoing->n_sent -= size;
    }
}

/* What of them was sent is dropped, and counting begins behind it. */
enum sess_status outgoing_keep(struct outgoing *outgoing, struct slice fresh)
{
    bool is_in_value = outgoing->value != NULL && outgoing->n_sent > outgoing->value_at;
    size_t cut = is_in_value ? outgoing->value_at : outgoing->n_sent;

    outgoing->n_sent -= cut;
    outgoing->value_at -= outgoing->value != NULL ? cut : 0;
    return buffer_append(&outgoing->unsent, slice_from(fresh, cut));
}

enum sess_status outgoing_send(struct outgoing *outgoing, const struct command_shared *shared,
                               struct transport *transport, struct slice fresh, size_t *sent)
{
    struct slice bytes = fresh.size > 0 ? fresh : buffer_slice(&outgoing->unsent);
    struct slice pieces[TRANSPORT_PIECES_MAX];
    size_t n_pieces = find_pieces(outgoing, bytes, pieces);
    enum sess_status status = SESS_AGAIN;

    *sent = 0;
    if (n_pieces > 0) {
        status = transport->calls->send(transport, pieces, n_pieces, sent);
    }
    if (status == SESS_IO) {
        return SESS_IO;
    }
    outgoing->n_sent += *sent;
    release_sent_value(outgoing, shared);
    if (outgoing->value == NULL && outgoing->n_sent == bytes.size) {
        outgoing_release(outgoing, shared);
        return SESS_OK;
    }
    return fresh.size > 0 ? outgoing_keep(outgoing, fresh) : SESS_OK;
}

void outgoing_release(struct outgoing *outgoing, const struct command_shared *shared)
{
    attached_release(shared, &outgoing->value);
    buffer_release(&outgoing->unsent);
    *outgoing = (struct outgoing){.n_sent = 0};
}
