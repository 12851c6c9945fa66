{# y = w * x with w in blocks: {{ lanes }} lane(s) share {{ ROWS }} row(s). The including file sets `format` and `subgroup`.

   A unit is what a lane multiplies at a time: 16 bytes of quants (32 for q4_k, which share four scales). A quant becomes a
   float without a conversion: its bits, left where they are in the word, are the low bits of a float between 2^23 and 2^24,
   from which the rest is taken off exactly. What is left is the quant times a power of two, and x is divided by that power
   beforehand, once for all rows. Words are halved first, so that no bit is above the 23rd.

   With STAGE = 1 all lanes of a workgroup read x through workgroup memory, padded so that neighbours, whose units are far
   apart, read from different banks. #}
{% set pieces = weights // 4 %}
{% set loads = 2 if format == "q4_k" else 1 %}
{% set staged = STAGE == 1 %}
{% set step = lanes * UNROLL %}
{% set steps = ceil_div(units, step) if staged else units // step %}
{% set short = staged and units % step != 0 %}
{% set stride = pieces + 1 %}
{% set ragged = m != groups * sets * ROWS or groups != fold_x(groups) * fold_y(groups) %}
{% set words = ["x", "y", "z", "w"] %}

@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<{{ "vec4<u32>" if format == "q4_k" else "u32" }}>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
{% if lanes > 1 and not subgroup %}

var<workgroup> partial: array<f32, {{ GROUP * ROWS }}>;
{% endif %}
{% if staged %}

var<workgroup> stage: array<vec4<f32>, {{ step * stride }}>;
{% endif %}

// The word twice, and its upper half twice.
fn halves(word: u32) -> vec4<u32> {
    return vec4<u32>(word, word, word >> 16u, word >> 16u);
}
{% if format == "q8_0" %}

// Four signed bytes, the second and fourth times 2^8.
fn bytes(word: u32) -> vec4<f32> {
    let bits = (halves(word) & vec4<u32>(0xffu, 0xff00u, 0xffu, 0xff00u)) ^ vec4<u32>(0x4b000080u, 0x4b008000u, 0x4b000080u, 0x4b008000u);
    return bitcast<vec4<f32>>(bits) - vec4<f32>(8388736.0, 8421376.0, 8388736.0, 8421376.0);
}
{% else %}
{% set offset = 8 if format == "q4_0" else 0 %}

// The low nibbles{{ " less 8" if offset }}, the second and fourth times 2^8.
fn low_nibbles(word: u32) -> vec4<f32> {
    let bits = (halves(word) & vec4<u32>(0xfu, 0xf00u, 0xfu, 0xf00u)) | vec4<u32>(0x4b000000u);
    return bitcast<vec4<f32>>(bits) - vec4<f32>({% for p in [1, 256, 1, 256] %}{{ ", " if not loop.first }}{{ 8388608 + offset * p }}.0{% endfor %});
}

// The high nibbles{{ " less 8" if offset }}, times 2^4 and 2^12 in turn.
fn high_nibbles(word: u32) -> vec4<f32> {
    let bits = (halves(word) & vec4<u32>(0xf0u, 0xf000u, 0xf0u, 0xf000u)) | vec4<u32>(0x4b000000u);
    return bitcast<vec4<f32>>(bits) - vec4<f32>({% for p in [16, 4096, 16, 4096] %}{{ ", " if not loop.first }}{{ 8388608 + offset * p }}.0{% endfor %});
}
{% endif %}
{% if format == "q4_k" %}

// Scales and minima of the two sub-blocks of group `place` of a super-block: scale, scale, minimum, minimum.
fn steps_of(packed: vec4<u32>, place: u32) -> vec4<f32> {
    let shift = (place & 1u) * 16u;
    let bytes = packed.yzw >> vec3<u32>(shift);
    let early = bytes.xy & vec2<u32>(0x3f3fu);
    let late = (vec2<u32>(bytes.z, bytes.z >> 4u) & vec2<u32>(0x0f0fu)) | ((bytes.xy >> vec2<u32>(2u)) & vec2<u32>(0x3030u));
    let both = select(late, early, place < 2u);
    let units = unpack2x16float(packed.x);
    return vec4<f32>(vec4<u32>(both.x & 255u, both.x >> 8u & 255u, both.y & 255u, both.y >> 8u & 255u)) * units.xxyy;
}
{% else %}

// The scale of a block.
fn scale_of(block: u32) -> f32 {
    return unpack2x16float(scales[block >> 1u] >> ((block & 1u) * 16u)).x;
}
{% endif %}

fn chain(quants: vec4<f32>, x: vec4<f32>, sum: f32) -> f32 {
    return fma(quants.w, x.w, fma(quants.z, x.z, fma(quants.y, x.y, fma(quants.x, x.x, sum))));
}
{# What piece `p` of x is multiplied with. #}
{% macro shrink(p) %}
{% if format == "q8_0" or p % 8 < 4 and format == "q4_0" or p < 8 and format == "q4_k" %}vec4<f32>(1.0, 0.00390625, 1.0, 0.00390625){% else %}vec4<f32>(0.0625, 0.000244140625, 0.0625, 0.000244140625){% endif %}
{%- endmacro %}
{# Loads unit `at` of every row into names that end in `u`. #}
{% macro fetch(at, u, indent) %}
{% for r in range(ROWS) %}
{% for l in range(loads) %}
{{ indent }}let w{{ r }}_{{ l }}{{ u }} = quants[{{ "(" if loads > 1 }}start{{ r }} + {{ at }}{{ ") * 2u" if loads > 1 }}{{ " + 1u" if l == 1 }}];
{% endfor %}
{% if format == "q4_k" %}
{{ indent }}let d{{ r }}{{ u }} = steps_of(scales[(start{{ r }} + {{ at }}) >> 2u], {{ at }} & 3u);
{% else %}
{{ indent }}let d{{ r }}{{ u }} = scale_of({{ "(" if format == "q8_0" }}start{{ r }} + {{ at }}{{ ") >> 1u" if format == "q8_0" }});
{% endif %}
{% endfor %}
{% endmacro %}
{# Multiplies the unit whose names end in `u` with x0, x1 and so on. #}
{% macro multiply(u, indent) %}
{% if format == "q4_k" %}
{% for side in ["low", "high"] %}
{% set first = 0 if side == "low" else 8 %}
{{ indent }}let all_{{ side }} = dot({% for p in range(8) %}{{ " + " if not loop.first }}x{{ first + p }}{% endfor %}, {{ "vec4<f32>(1.0, 256.0, 1.0, 256.0)" if side == "low" else "vec4<f32>(16.0, 4096.0, 16.0, 4096.0)" }});
{% endfor %}
{% endif %}
{% for r in range(ROWS) %}
{{ indent }}{
{% if format == "q8_0" %}
{{ indent }}    var part = 0.0;
{% for word in words %}
{{ indent }}    part = chain(bytes(w{{ r }}_0{{ u }}.{{ word }}), x{{ loop.index0 }}, part);
{% endfor %}
{{ indent }}    sum{{ r }} = fma(d{{ r }}{{ u }}, part, sum{{ r }});
{% else %}
{{ indent }}    var low = 0.0;
{{ indent }}    var high = 0.0;
{% for l in range(loads) %}
{% for word in words %}
{{ indent }}    low = chain(low_nibbles(w{{ r }}_{{ l }}{{ u }}.{{ word }}), x{{ 4 * l + loop.index0 }}, low);
{{ indent }}    high = chain(high_nibbles(w{{ r }}_{{ l }}{{ u }}.{{ word }}), x{{ 4 * loads + 4 * l + loop.index0 }}, high);
{% endfor %}
{% endfor %}
{% if format == "q4_0" %}
{{ indent }}    sum{{ r }} = fma(d{{ r }}{{ u }}, low + high, sum{{ r }});
{% else %}
{{ indent }}    let d = d{{ r }}{{ u }};
{{ indent }}    sum{{ r }} += fma(d.x, low, d.y * high) - fma(d.z, all_low, d.w * all_high);
{% endif %}
{% endif %}
{{ indent }}}
{% endfor %}
{% endmacro %}
{# One unit without workgroup memory. #}
{% macro unit(at, indent) %}
{{ indent }}let at = {{ at }};
{% for p in range(pieces) %}
{{ indent }}let x{{ p }} = x[at * {{ pieces }}u + {{ p }}u] * {{ shrink(p) }};
{% endfor %}
{{ fetch("at", "", indent) }}{{ multiply("", indent) }}
{%- endmacro %}

@compute @workgroup_size({{ GROUP }}, 1, 1)
{% if subgroup %}
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) id: u32,
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_id) own: u32,
) {
{% else %}
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
    let lane = id % {{ lanes }}u;
    let own = id / {{ lanes }}u;
{% endif %}
    let row = ((group.y * {{ fold_x(groups) }}u + group.x) * {{ sets }}u + own) * {{ ROWS }}u;
{% for r in range(ROWS) %}
    let start{{ r }} = {% if ragged %}min(row + {{ r }}u, {{ m - 1 }}u){% else %}(row + {{ r }}u){% endif %} * {{ units }}u;
    var sum{{ r }} = 0.0;
{% endfor %}
{% if staged %}
    for (var i = 0u; i < {{ steps }}u; i++) {
        // Quants are under way while x is put in place.
{% for u in range(UNROLL) %}
        let at{{ u }} = {{ "min(" if short }}i * {{ step }}u + {{ u * lanes }}u + lane{{ ", " ~ (units - 1) ~ "u)" if short }};
{{ fetch("at" ~ u, "_" ~ u, "        ") }}
{%- endfor %}
{% set chunk = step * pieces %}
{% for j in range(ceil_div(chunk, GROUP)) %}
{% set guarded = chunk % GROUP != 0 and loop.last %}
        let place{{ j }} = {{ j * GROUP }}u + id;
{% if short %}
        // Beyond the last unit x is 0, and whatever it meets counts for nothing.
        let within{{ j }} = i * {{ chunk }}u + place{{ j }} < {{ units * pieces }}u;
        let value{{ j }} = select(vec4<f32>(), x[min(i * {{ chunk }}u + place{{ j }}, {{ units * pieces - 1 }}u)], within{{ j }});
{% else %}
        let value{{ j }} = x[i * {{ chunk }}u + {{ "min(" if guarded }}place{{ j }}{{ ", " ~ (chunk - 1) ~ "u)" if guarded }}];
{% endif %}
{% endfor %}
        workgroupBarrier();
{% for j in range(ceil_div(chunk, GROUP)) %}
{% if chunk % GROUP != 0 and loop.last %}
        if (place{{ j }} < {{ chunk }}u) {
            stage[place{{ j }} / {{ pieces }}u * {{ stride }}u + place{{ j }} % {{ pieces }}u] = value{{ j }};
        }
{% else %}
        stage[place{{ j }} / {{ pieces }}u * {{ stride }}u + place{{ j }} % {{ pieces }}u] = value{{ j }};
{% endif %}
{% endfor %}
        workgroupBarrier();
{% for u in range(UNROLL) %}
        {
            let place = ({{ u * lanes }}u + lane) * {{ stride }}u;
{% for p in range(pieces) %}
            let x{{ p }} = stage[place + {{ p }}u] * {{ shrink(p) }};
{% endfor %}
{{ multiply("_" ~ u, "            ") }}        }
{% endfor %}
    }
{% else %}
{% if steps > 0 %}
    for (var i = 0u; i < {{ steps }}u; i++) {
{% for u in range(UNROLL) %}
        {
{{ unit("i * " ~ step ~ "u + " ~ (u * lanes) ~ "u + lane", "            ") }}        }
{% endfor %}
    }
{% endif %}
{% for u in range(steps * UNROLL, units // lanes) %}
    {
{{ unit(u * lanes ~ "u + lane", "        ") }}    }
{% endfor %}
{% if units % lanes != 0 %}
    if (lane < {{ units % lanes }}u) {
{{ unit(units // lanes * lanes ~ "u + lane", "        ") }}    }
{% endif %}
{% endif %}
{% if subgroup %}
{% for r in range(ROWS) %}
    let total{{ r }} = subgroupAdd(sum{{ r }});
{% endfor %}
    if (lane == 0u) {
{% elif lanes > 1 %}
{% for r in range(ROWS) %}
    partial[{{ r * GROUP }}u + id] = sum{{ r }};
{% endfor %}
{% for width in [128, 64, 32, 16, 8, 4, 2, 1] if width < lanes %}
    workgroupBarrier();
    if (lane < {{ width }}u) {
{% for r in range(ROWS) %}
        partial[{{ r * GROUP }}u + id] += partial[{{ r * GROUP + width }}u + id];
{% endfor %}
    }
{% endfor %}
    // Lane 0 wrote the last sums itself, so it may read them without another barrier.
    if (lane == 0u) {
{% else %}
    {
{% endif %}
{% for r in range(ROWS) %}
{% set total = "total" ~ r if subgroup else "partial[" ~ r * GROUP ~ "u + id]" if lanes > 1 else "sum" ~ r %}
{% if ragged %}
        if (row + {{ r }}u < {{ m }}u) {
            y[row + {{ r }}u] = {{ total }};
        }
{% else %}
        y[row + {{ r }}u] = {{ total }};
{% endif %}
{% endfor %}
    }
}
