/* Tables, so that a draw costs the load generator little. */
#include "draw.h"

#include "room.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A prime above any number of sessions: ranks times it, modulo that number, are all different. */
#define SCATTER UINT64_C(4294967311)

static const double p95_of_normal = 1.6448536269514722; /* its 95th per cent */

uint64_t draw_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

uint64_t draw_next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15U;
    return draw_mix(*state);
}

void popularity_prepare(struct popularity *popularity, uint64_t n, uint64_t exponent_percent)
{
    double exponent = (double)exponent_percent / 100;
    double all = 0;
    double passed = 0;
    uint64_t rank = 0;

    popularity->n = n;
    popularity->ranks = NULL;
    if (exponent_percent == 0) {
        return;
    }
    popularity->ranks = allocate(POPULARITY_CELLS + 1, sizeof(*popularity->ranks));
    for (uint64_t i = 1; i <= n; i++) {
        all += pow((double)i, -exponent);
    }
    for (size_t cell = 0; cell <= POPULARITY_CELLS; cell++) {
        while (rank + 1 < n && passed + pow((double)(rank + 1), -exponent) <
                                   all * (double)cell / POPULARITY_CELLS) {
            passed += pow((double)++rank, -exponent);
        }
        popularity->ranks[cell] = (uint32_t)rank;
    }
}

void popularity_release(struct popularity *popularity)
{
    free(popularity->ranks);
}

uint64_t popularity_draw(const struct popularity *popularity, uint64_t *state)
{
    uint64_t random = draw_next(state);
    const uint32_t *cell;
    uint64_t rank;

    if (popularity->ranks == NULL) {
        return (random & UINT32_MAX) % popularity->n;
    }
    cell = &popularity->ranks[random >> 48];
    rank = cell[0] + (random & UINT32_MAX) % (cell[1] - cell[0] + 1);
    return rank * (SCATTER % popularity->n) % popularity->n;
}

/* Where the normal distribution has passed this share; by halving, which is exact enough and short. */
static double normal_quantile(double share)
{
    double low = -8;
    double high = 8;

    for (unsigned i = 0; i < 40; i++) {
        double middle = (low + high) / 2;

        if (erfc(-middle / sqrt(2)) / 2 < share) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

void lengths_prepare(struct lengths *lengths, const struct length_form *form)
{
    double least = (double)form->least;
    double most = (double)form->most;
    double sigma =
        form->median == 0 ? 0 : log((double)form->p95 / (double)form->median) / p95_of_normal;

    for (size_t i = 0; i < LENGTH_CELLS; i++) {
        double share = ((double)i + 0.5) / LENGTH_CELLS;
        double length = form->median == 0
                            ? floor(least + share * (most - least + 1))
                            : (double)form->median * exp(sigma * normal_quantile(share));

        lengths->cells[i] = (uint32_t)fmin(fmax(length, least), most);
    }
}
