{#- The workgroup's tile of c as top and left: bands of SWIZZLE tile rows, so that neighbouring workgroups find each other's
    operands in the cache; inside a band the row changes fastest. -#}
{% if tiles == fold_x(tiles) * fold_y(tiles) %}
    let tile = group.y * {{ fold_x(tiles) }}u + group.x;
{% else %}
    // Workgroups beyond the last tile of the folded grid repeat it: they write the same values.
    let tile = min(group.y * {{ fold_x(tiles) }}u + group.x, {{ tiles - 1 }}u);
{% endif %}
    let band = tile / {{ SWIZZLE * tiles_n }}u;
    let within = tile % {{ SWIZZLE * tiles_n }}u;
{% if tiles_m % SWIZZLE == 0 %}
    let height = {{ SWIZZLE }}u;
{% else %}
    let height = min({{ SWIZZLE }}u, {{ tiles_m }}u - band * {{ SWIZZLE }}u);
{% endif %}
    let top = (band * {{ SWIZZLE }}u + within % height) * {{ BM }}u;
    let left = (within / height) * {{ BN }}u;

