"""Loops compiled for a processor: what is not 0 picked out of images, and products of matrices with it (`sparse`); one layer under nested
masks (`mlp.NestedNoise`); uniform numbers (`masks.UniformField`).

Shape legend: n rows, m columns, in blocks of `BLOCK`; H neurons, in tiles of `LANES`; E masks.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.base import BaseContext
from numba.core.typing.templates import Signature
from numba.extending import intrinsic

LANES = 16
"""Neurons of a tile: a register of AVX-512, two of AVX2, four of NEON."""
MOST_TILES = 7
"""Sums of a row that are kept in registers: with those of AVX2, two of the sixteen are left for the numbers multiplied."""
BLOCK = 64
"""Columns at a time: their rows of the table then fit in a core's first-level cache."""


@njit(cache=True, nogil=True)
def compress(images, start, index, level):
    """What is not 0 in images uint8 [n, m], row after row, in each block of columns after block.

    Of row i and block k the entries start[i, k] … start[i, k + 1] are written: `index`, the column within the block, and `level`.
    """
    place = 0
    for i in range(images.shape[0]):
        for j in range(images.shape[1]):
            if j % BLOCK == 0:
                start[i, j // BLOCK] = place
            if images[i, j]:
                index[place], level[place] = j % BLOCK, images[i, j]
                place += 1
        start[i, -1] = place


@njit(cache=True, nogil=True)
def pick(rows, levels, start, index, level, start_n, index_n, value_n):
    """The same of rows [n] of the images, each level replaced by its number in levels [256]."""
    place = 0
    for i in range(rows.size):
        first, last = start[rows[i], 0], start[rows[i], -1]
        for block in range(start.shape[1]):
            start_n[i, block] = start[rows[i], block] - first + place
        index_n[place : place + last - first] = index[first:last]
        seen, values = level[first:last], value_n[place:]
        for k in range(seen.size):
            values[k] = levels[seen[k]]
        place += seen.size


@njit(cache=True, nogil=True)
def transpose(start, index, value, start_t, index_t, value_t):
    """The same of the matrix [m, n] whose columns are these rows."""
    n, n_blocks = start.shape[0], start.shape[1] - 1
    start_t[:] = 0
    for i in range(n):  # how many entries each row and block will have
        for block in range(n_blocks):
            for k in range(start[i, block], start[i, block + 1]):
                start_t[block * BLOCK + index[k], i // BLOCK] += 1
    place = 0
    for j in range(start_t.shape[0]):  # where each of them begins
        for block in range(start_t.shape[1]):
            place, start_t[j, block] = place + start_t[j, block], place
    for i in range(n):  # each entry moves that on to where the next one goes, in the end to where the block ends
        for block in range(n_blocks):
            for k in range(start[i, block], start[i, block + 1]):
                j = block * BLOCK + index[k]
                place = start_t[j, i // BLOCK]
                index_t[place], value_t[place] = i % BLOCK, value[k]
                start_t[j, i // BLOCK] = place + 1
    place = 0
    for j in range(start_t.shape[0]):  # so that each begins where the one before ends
        for block in range(start_t.shape[1]):
            place, start_t[j, block] = start_t[j, block], place


@intrinsic
def _copy_tile(typing, source, column, target, place, rounded):
    """target[place + lane] = source[column + lane], rounded to bfloat16 (ties to even) or not."""
    returned = types.void(source, types.int64, target, types.int64, types.boolean)
    return returned, _write_copy_tile


def _write_copy_tile(context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: list) -> ir.Value:
    bits = ir.VectorType(ir.IntType(32), LANES)

    def constant(number: int) -> ir.Constant:
        return ir.Constant(bits, [number] * LANES)

    source, target = (
        builder.bitcast(builder.gep(_data(context, builder, signature, arguments, k), [arguments[k + 1]]), bits.as_pointer())
        for k in (0, 2)
    )  # fmt: skip
    whole = builder.load(source, align=4)
    last = builder.and_(builder.lshr(whole, constant(16)), constant(1))  # bit that stays: ties to even
    nearest = builder.and_(builder.add(whole, builder.add(last, constant(2**15 - 1))), constant(2**32 - 2**16))
    builder.store(builder.select(arguments[4], nearest, whole), target, align=4)
    return context.get_dummy_value()


def _data(context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: list, k: int) -> ir.Value:
    """Where the numbers of the array in place k begin."""
    return context.make_array(signature.args[k])(context, builder, arguments[k]).data


@intrinsic
def _add_products(typing, tiles, first, last, index, value, table, out):
    """out[tiles[g] + lane] += Σₖ value[k] table[index[k], g, lane] over first ≤ k < last, the sums in registers all the while.

    In LLVM's own language, because no loop that numba compiles keeps them there: a product and a sum then cost two loads and a store.
    """
    returned = types.void(tiles, types.int64, types.int64, index, value, table, out)
    return returned, _write_add_products


def _write_add_products(context: BaseContext, builder: ir.IRBuilder, signature: Signature, arguments: list) -> ir.Value:
    n_tiles = signature.args[0].count
    integer, vector = ir.IntType(64), ir.VectorType(ir.FloatType(), LANES)
    tiles, first, last = arguments[:3]
    index, value, table, out = (_data(context, builder, signature, arguments, k) for k in range(3, 7))

    def tile(base: ir.Value, offset: ir.Value) -> ir.Value:
        return builder.bitcast(builder.gep(base, [offset]), vector.as_pointer())

    places = [tile(out, builder.extract_value(tiles, g)) for g in range(n_tiles)]
    begun = [builder.load(place, align=4) for place in places]
    before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.cbranch(builder.icmp_signed("<", first, last), loop, after)

    builder.position_at_end(loop)
    k = builder.phi(integer)
    sums = [builder.phi(vector) for _ in range(n_tiles)]
    column = builder.zext(builder.load(builder.gep(index, [k])), integer)
    row = builder.gep(table, [builder.mul(column, integer(n_tiles * LANES))])
    nothing = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(nothing, builder.load(builder.gep(value, [k])), integer(0))
    everywhere = builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))
    added = []
    for g, so_far in enumerate(sums):  # "contract": one instruction for both where there is one
        product = builder.fmul(everywhere, builder.load(tile(row, integer(g * LANES)), align=4), flags=["contract"])
        added.append(builder.fadd(so_far, product, flags=["contract"]))
    following = builder.add(k, integer(1))
    builder.cbranch(builder.icmp_signed("<", following, last), loop, after)
    k.add_incoming(first, before)
    k.add_incoming(following, loop)

    builder.position_at_end(after)
    ends = [builder.phi(vector) for _ in range(n_tiles)]
    for so_far, new, end, start in zip(sums, added, ends, begun, strict=True):
        for phi, value_before in ((so_far, start), (end, start)):
            phi.add_incoming(value_before, before)
        so_far.add_incoming(new, loop)
        end.add_incoming(new, loop)
    for end, place in zip(ends, places, strict=True):
        builder.store(end, place, align=4)
    return context.get_dummy_value()


@njit(cache=True, nogil=True)
def multiply(tiles, start, index, value, table, rounded, scratch, out):
    """What there is of a matrix [n, m] times each table [P, m, H], to out [P, n, H]; only the columns of the tiles.

    tiles: first columns of tiles of `LANES` (they may overlap); rounded: whether the numbers of the table are rounded to bfloat16 before,
    and sums afterwards; scratch: [BLOCK, len(tiles) · LANES].
    """
    n_blocks = start.shape[1] - 1
    for p in range(out.shape[0]):
        for block in range(n_blocks):
            first = block * BLOCK
            for j in range(first, min(table.shape[1], first + BLOCK)):
                for g in range(len(tiles)):
                    _copy_tile(table[p, j], tiles[g], scratch[j - first], g * LANES, rounded)
            for i in range(out.shape[1]):
                if block == 0:
                    for g in range(len(tiles)):
                        out[p, i, tiles[g] : tiles[g] + LANES] = 0
                _add_products(tiles, start[i, block], start[i, block + 1], index, value, scratch, out[p, i])
                if rounded and block == n_blocks - 1:
                    for g in range(len(tiles)):
                        _copy_tile(out[p, i], tiles[g], out[p, i], tiles[g], True)


@njit(cache=True, nogil=True)
def join(u, keep, joins):
    """How many of the ascending probabilities keep [E] a number u [n, m] is not below, to joins [n, m]."""
    joins[:] = 0
    for i in range(u.shape[0]):
        for e in range(keep.size):
            for j in range(u.shape[1]):
                joins[i, j] += u[i, j] >= keep[e]


@njit(cache=True, nogil=True, fastmath={"contract"})
def nested(h, joins, weight, bias, scale, place, out):
    """out[place[e], i] = bias + scale[e] Σⱼ h[i, j] weight[j] over the j with joins[i, j] ≤ e: each product is added once for all e.

    h, joins: [n, m]; weight: [m, H]; bias: [H]; scale, place: [E]; out: [E, n, H].
    """
    n, m = h.shape
    n_masks = place.size
    start, order = np.empty(n_masks + 2, np.int64), np.empty(m, np.int64)
    sums = np.empty_like(bias)
    for i in range(n):
        start[:] = 0
        for j in range(m):  # the columns in the order in which they join, by counting
            start[joins[i, j] + 1] += h[i, j] != 0
        for e in range(n_masks):
            start[e + 1] += start[e]
        for j in range(m):
            if h[i, j] != 0:
                order[start[joins[i, j]]] = j
                start[joins[i, j]] += 1  # from here on where the next begins
        sums[:] = 0
        first = 0
        for e in range(n_masks):
            if scale[e] == 1:  # nothing is dropped: summed up in the same order whatever the masks, for the same bits
                sums[:] = 0
                first, last = 0, 0
                for j in range(m):
                    if h[i, j] != 0:
                        order[last] = j
                        last += 1
            for k in range(first, start[e]):
                value, row = h[i, order[k]], weight[order[k]]
                for c in range(sums.size):
                    sums[c] += value * row[c]
            first = start[e]
            factor, row = scale[e], out[place[e], i]
            for c in range(sums.size):
                row[c] = sums[c] * factor + bias[c]


@njit(cache=True, nogil=True)
def uniform(keys, count, out):
    """`streams.uniform_field` of keys uint32 [n, 2] and count uint32 [m] to out float32 [n, m]."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            bits = np.uint32(count[j] + keys[i, 0])
            bits = np.uint32(np.uint32(bits ^ (bits >> np.uint32(17))) * np.uint32(3982152891)) ^ keys[i, 1]
            bits = np.uint32(np.uint32(bits ^ (bits >> np.uint32(11))) * np.uint32(2890668881))
            bits = np.uint32(np.uint32(bits ^ (bits >> np.uint32(15))) * np.uint32(830770091))
            bits = np.uint32(bits ^ (bits >> np.uint32(14))) & np.uint32(2**24 - 1)
            out[i, j] = np.float32(bits) * np.float32(2.0**-24)


@njit(cache=True, nogil=True)
def drop(values, u, keep, scale):
    """Multiply values [R, P, n] by scale [R, P] where u [R, n] is below keep [R, P], and by 0 elsewhere; in place."""
    for r in range(values.shape[0]):
        uniform = u[r]
        for p in range(values.shape[1]):
            row, threshold, factor, nothing = values[r, p], keep[r, p], scale[r, p], 0 * scale[r, p]
            for i in range(uniform.size):
                row[i] *= factor if uniform[i] < threshold else nothing
