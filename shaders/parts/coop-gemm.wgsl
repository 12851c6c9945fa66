{#- c = a * b on matrix units, f16 operands. The including shader sets `acc` (type of sums and results), `mode` ("staged":
    tiles through workgroup memory; "prefetch": the next tile is read into registers meanwhile) and `hint` (1: ask for
    loops to be unrolled, which only patched SPIR-V can). The manifest derives the rest. -#}
enable f16;
enable wgpu_cooperative_matrix;
{% if hint == 1 %}
// unroll loops
{% endif %}

// c = a * b: a {{ BM }} x {{ BN }} tile per workgroup, {{ BK }} of k at a time. Of the tile a subgroup has {{ 16 * frags_m }} x {{ 16 * frags_n }} in registers, as
// {{ frags_m }} x {{ frags_n }} matrices of 16 x 16: wide enough that each matrix from workgroup memory is used several times.
{% set prefetch = mode == "prefetch" %}
{% set ragged_m = m % BM != 0 %}
{% set ragged_n = n % BN != 0 %}
{% set ragged_k = k % BK != 0 %}
{% set wide_a = k % 8 == 0 %}
{% set wide_b = n % 8 == 0 %}
{% set aligned_c = n % (4 if acc == "f32" else 8) == 0 %}
{% set per_a = ceil_div(units_a, threads) %}
{% set per_b = ceil_div(units_b, threads) %}
{% set steps = ceil_div(k, BK) %}

struct Eight {
    low: vec4<f16>,
    high: vec4<f16>,
}

@group(0) @binding(0) var<storage, read> a: array<{{ "Eight" if wide_a else "f16" }}>;
@group(0) @binding(1) var<storage, read> b: array<{{ "Eight" if wide_b else "f16" }}>;
@group(0) @binding(2) var<storage, read_write> c: array<{{ acc }}>;

// tile_a[m][k / 4], tile_b[k][n / 4]; 16 bytes of padding per row spread the rows of a matrix over the banks.
var<workgroup> tile_a: array<vec4<f16>, {{ BM * pitch_a }}>;
var<workgroup> tile_b: array<vec4<f16>, {{ BK * pitch_b }}>;
{% if spill == 1 %}
// One matrix of each subgroup, on its way to a tile that sticks out of c.
var<workgroup> edge: array<{{ acc }}, {{ SGM * SGN * 256 }}>;
{% endif %}

// Eight elements of row `row` of a, from column 8 * `unit`{{ "; rows past the last repeat it" if ragged_m }}{{ "; zero past the last column" if ragged_k }}.
fn load_a(row: u32, unit: u32) -> Eight {
    let line = {% if ragged_m %}min(row, {{ m - 1 }}u){% else %}row{% endif %};
{% if wide_a %}
{% if ragged_k %}
    if (unit >= {{ k // 8 }}u) {
        return Eight();
    }
{% endif %}
    return a[line * {{ k // 8 }}u + unit];
{% else %}
    let start = line * {{ k }}u;
    let first = 8u * unit;
{% for i in range(8) %}
    let v{{ i }} = select(0.0h, a[start + min(first + {{ i }}u, {{ k - 1 }}u)], first + {{ i }}u < {{ k }}u);
{% endfor %}
    return Eight(vec4<f16>(v0, v1, v2, v3), vec4<f16>(v4, v5, v6, v7));
{% endif %}
}

// Eight elements of row `row` of b, from column 8 * `unit`{{ "; zero past the last row" if ragged_k }}{{ "; columns past the last repeat it" if ragged_n }}.
fn load_b(row: u32, unit: u32) -> Eight {
{% if ragged_k %}
    if (row >= {{ k }}u) {
        return Eight();
    }
{% endif %}
{% if wide_b %}
    return b[row * {{ n // 8 }}u + {% if ragged_n %}min(unit, {{ n // 8 - 1 }}u){% else %}unit{% endif %}];
{% else %}
    let start = row * {{ n }}u;
    let first = 8u * unit;
{% for i in range(8) %}
    let v{{ i }} = b[start + min(first + {{ i }}u, {{ n - 1 }}u)];
{% endfor %}
    return Eight(vec4<f16>(v0, v1, v2, v3), vec4<f16>(v4, v5, v6, v7));
{% endif %}
}
{% if spill == 1 %}

// A subgroup's matrix from `edge` to row `row` and column `col` of c, as far as it lies inside.
fn store_edge(subgroup: u32, own: u32, row: u32, col: u32) {
{% for i in range(ceil_div(256, subgroup_max)) %}
    {
        let at = own + {{ i * subgroup_max }}u;
        if (row + at / 16u < {{ m }}u && col + at % 16u < {{ n }}u) {
            c[(row + at / 16u) * {{ n }}u + col + at % 16u] = edge[subgroup * 256u + at];
        }
    }
{% endfor %}
}
{% endif %}
{# Unit p of this lane: registers from a or b, of the step that begins at k = `from`. #}
{% macro fetch(name, p, from) %}
{% if name == "a" %}
load_a(top + ({{ p * threads }}u + lane) / {{ BK // 8 }}u, {{ from }} / 8u + ({{ p * threads }}u + lane) % {{ BK // 8 }}u)
{%- else %}
load_b({{ from }} + ({{ p * threads }}u + lane) / {{ BN // 8 }}u, left / 8u + ({{ p * threads }}u + lane) % {{ BN // 8 }}u)
{%- endif %}
{% endmacro %}
{# Whether unit p has to be guarded, because there are fewer units than lanes. #}
{% macro guard(name, p) %}
{% set units = units_a if name == "a" else units_b %}
{% if (p + 1) * threads > units %}if (lane < {{ units - p * threads }}u) {% endif %}
{% endmacro %}
{# A lane's unit p, in `value`, into workgroup memory. #}
{% macro put(name, p, value) %}
{% set width = BK // 8 if name == "a" else BN // 8 %}
{% set pitch = pitch_a if name == "a" else pitch_b %}
            let at = ({{ p * threads }}u + lane) / {{ width }}u * {{ pitch }}u + ({{ p * threads }}u + lane) % {{ width }}u * 2u;
            tile_{{ name }}[at] = {{ value }}.low;
            tile_{{ name }}[at + 1u] = {{ value }}.high;
{% endmacro %}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
{% if spill == 1 %}
    @builtin(subgroup_invocation_id) own: u32,
{% endif %}
) {
{% include "coop-tile.wgsl" %}
    let mine_m = subgroup / {{ SGN }}u * {{ 16 * frags_m }}u;
    let mine_n = subgroup % {{ SGN }}u * {{ 16 * frags_n }}u;
{% for i in range(frags_m) %}
{% for j in range(frags_n) %}
    var c{{ i }}_{{ j }}: coop_mat16x16<{{ acc }}, C>;
{% endfor %}
{% endfor %}
{% if prefetch %}
{% for name, per in [["a", per_a], ["b", per_b]] %}
{% for p in range(per) %}
    var next_{{ name }}{{ p }}: Eight;
    {{ guard(name, p) }}{ next_{{ name }}{{ p }} = {{ fetch(name, p, "0u") }}; }
{% endfor %}
{% endfor %}
{% endif %}

    for (var base = 0u; base < {{ steps * BK }}u; base += {{ BK }}u) {
{% for name, per in [["a", per_a], ["b", per_b]] %}
{% for p in range(per) %}
        {{ guard(name, p) }}{
{% if prefetch %}
{{ put(name, p, "next_" ~ name ~ p) }}
{%- else %}
            let unit = {{ fetch(name, p, "base") }};
{{ put(name, p, "unit") }}
{%- endif %}
        }
{% endfor %}
{% endfor %}
        workgroupBarrier();
{% if prefetch %}
        if (base + {{ BK }}u < {{ steps * BK }}u) {
{% for name, per in [["a", per_a], ["b", per_b]] %}
{% for p in range(per) %}
            {{ guard(name, p) }}{ next_{{ name }}{{ p }} = {{ fetch(name, p, "(base + " ~ BK ~ "u)") }}; }
{% endfor %}
{% endfor %}
        }
{% endif %}
{% for kk in range(BK // 16) %}
        {
{% for i in range(frags_m) %}
            let a{{ i }} = coopLoadT<coop_mat16x16<f16, A>>(&tile_a[(mine_m + {{ 16 * i }}u) * {{ pitch_a }}u + {{ 4 * kk }}u], {{ pitch_a }}u);
{% endfor %}
{% for j in range(frags_n) %}
            let b{{ j }} = coopLoadT<coop_mat16x16<f16, B>>(&tile_b[{{ 16 * kk * pitch_b + 4 * j }}u + mine_n / 4u], {{ pitch_b }}u);
{% for i in range(frags_m) %}
            c{{ i }}_{{ j }} = coopMultiplyAdd(a{{ i }}, b{{ j }}, c{{ i }}_{{ j }});
{% endfor %}
{% endfor %}
        }
{% endfor %}
        workgroupBarrier();
    }

    let row = top + mine_m;
    let col = left + mine_n;
{% if spill == 1 and aligned_c %}
    if (top + {{ BM }}u <= {{ m }}u && left + {{ BN }}u <= {{ n }}u) {
{% elif spill == 0 %}
    {
{% endif %}
{% if spill == 0 or aligned_c %}
{% for i in range(frags_m) %}
{% for j in range(frags_n) %}
        coopStoreT(c{{ i }}_{{ j }}, &c[(row + {{ 16 * i }}u) * {{ n }}u + col + {{ 16 * j }}u], {{ n }}u);
{% endfor %}
{% endfor %}
    }
{% endif %}
{% if spill == 1 %}
    {{ "else " if aligned_c }}{
{% for i in range(frags_m) %}
{% for j in range(frags_n) %}
        coopStoreT(c{{ i }}_{{ j }}, &edge[subgroup * 256u], 16u);
        workgroupBarrier();
        store_edge(subgroup, own, row + {{ 16 * i }}u, col + {{ 16 * j }}u);
        workgroupBarrier();
{% endfor %}
{% endfor %}
    }
{% endif %}
}
