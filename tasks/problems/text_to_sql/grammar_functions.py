"""The functions that a grammar of queries knows, by dialect."""

COMMON = """
    abs acos asin atan atan2 avg ceil ceiling char_length coalesce concat concat_ws cos count cume_dist date degrees dense_rank exp
    first_value floor instr lag last_value lead length ln log log10 log2 lower ltrim max min mod ntile nth_value nullif octet_length
    percent_rank pi position power pow radians rank replace round row_number rtrim sign sin sqrt substr substring sum tan trim upper
    variance stddev greatest least left right reverse repeat lpad rpad ascii chr char format random json_extract
"""
BY_DIALECT = {
    "sqlite": """
    changes date datetime glob group_concat hex ifnull iif if json json_array json_array_length json_each json_group_array
    json_group_object json_object json_quote json_tree json_type json_valid julianday last_insert_rowid likelihood likely like median
    nullif printf quote random randomblob soundex strftime string_agg time timediff total trunc typeof unicode unixepoch unlikely
    upper zeroblob generate_series acosh asinh atanh cosh sinh tanh concat octet_length unhex sqlite_version
""",
    "mysql": """
    adddate addtime any_value bin bit_and bit_count bit_length bit_or bit_xor character_length conv convert_tz cot crc32 curdate
    current_date current_time current_timestamp curtime date_add date_format date_sub datediff day dayname dayofmonth dayofweek
    dayofyear elt export_set field find_in_set from_days from_unixtime get_format group_concat hex hour if ifnull inet_aton insert
    isnull json_array json_arrayagg json_contains json_contains_path json_extract json_keys json_length json_object json_objectagg
    json_overlaps json_quote json_search json_table json_type json_unquote json_valid json_value last_day lcase localtime
    localtimestamp locate make_set makedate maketime md5 microsecond mid minute month monthname now oct ord period_add period_diff
    quarter quote rand regexp_instr regexp_like regexp_replace regexp_substr sec_to_time second sha1 sha2 soundex space std
    stddev_pop stddev_samp str_to_date strcmp subdate substring_index subtime sysdate time time_format time_to_sec timediff timestamp
    timestampadd timestampdiff to_days to_seconds truncate ucase unhex unix_timestamp utc_date utc_time utc_timestamp uuid var_pop
    var_samp week weekday weekofyear year yearweek median grouping to_char
""",
    "postgres": """
    age array_agg array_append array_cat array_length array_position array_positions array_prepend array_remove array_replace
    array_to_string array_upper bit_and bit_or bool_and bool_or btrim cardinality cbrt clock_timestamp corr covar_pop covar_samp
    date_bin date_part date_trunc decode div encode every extract factorial gcd generate_series generate_subscripts initcap isfinite
    json_agg json_array_elements json_array_elements_text json_array_length json_build_array json_build_object json_each
    json_each_text json_extract_path json_extract_path_text json_object_agg json_object_keys json_typeof jsonb_agg
    jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each
    jsonb_each_text jsonb_exists jsonb_extract_path jsonb_extract_path_text jsonb_object_agg jsonb_object_keys jsonb_path_exists
    jsonb_path_query jsonb_pretty jsonb_set jsonb_typeof justify_days justify_hours justify_interval lcm make_date make_interval
    make_time make_timestamp md5 mode now num_nonnulls num_nulls overlay percentile_cont percentile_disc quote_ident quote_literal
    regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table
    regexp_substr regr_intercept regr_r2 regr_slope row_to_json scale setseed similarity split_part starts_with statement_timestamp
    stddev_pop stddev_samp string_agg string_to_array string_to_table strpos timezone to_char to_date to_json to_jsonb to_number
    to_timestamp to_tsquery to_tsvector plainto_tsquery transaction_timestamp translate trim_array trunc unnest upper_inf var_pop
    var_samp width_bucket xmlagg grouping bit_length timeofday
""",
    "duckdb": """
    age any_value approx_count_distinct approx_quantile arg_max arg_min argmax argmin array_agg array_aggregate array_append
    array_concat array_contains array_distinct array_extract array_filter array_has array_has_all array_has_any array_length
    array_position array_prepend array_reverse array_slice array_sort array_to_string array_transform array_unique bit_and bit_count
    bit_length bit_or bit_xor bool_and bool_or cardinality cbrt century columns contains corr count_if countif count_star covar_pop
    covar_samp current_date current_timestamp date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc
    day dayname dayofmonth dayofweek dayofyear decade damerau_levenshtein editdist3 element_at encode ends_with entropy epoch
    epoch_ms error even factorial favg first flatten fsum gamma gcd generate_series geomean get_current_timestamp glob group_concat
    grouping hamming hash histogram hour ifnull if in_search_path isfinite isinf isnan isodow isoyear jaccard jaro_similarity
    jaro_winkler_similarity json json_array json_array_length json_contains json_each json_exists json_extract_path
    json_extract_path_text json_extract_string json_group_array json_group_object json_keys json_merge_patch json_object
    json_structure json_transform json_type json_valid json_value julian kurtosis last last_day lcm len levenshtein list
    list_aggregate list_any_value list_append list_avg list_concat list_contains list_count list_distinct list_extract list_filter
    list_has list_has_all list_has_any list_max list_mean list_median list_min list_position list_prepend list_reduce list_reverse
    list_slice list_sort list_sum list_transform list_unique list_value list_zip listagg mad make_date make_time make_timestamp map
    map_entries map_extract map_from_entries map_keys map_values max_by md5 mean median microsecond millisecond min_by minute mode
    month monthname nextafter now ord parse_filename printf product quantile quantile_cont quantile_disc percentile_cont
    percentile_disc quarter range read_csv read_csv_auto read_json read_json_auto read_parquet regexp_extract regexp_extract_all
    regexp_full_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regr_intercept regr_r2 regr_slope
    reservoir_quantile row row_to_json second sem sha256 skewness split split_part starts_with stddev_pop stddev_samp str_split
    string_agg string_split string_split_regex string_to_array strftime strip_accents strlen strpos strptime struct_extract
    struct_pack suffix prefix time_bucket timezone to_base64 to_days to_hours to_json to_minutes to_months to_seconds to_timestamp
    to_weeks to_years today transform translate trunc try_strptime typeof ucase lcase unicode union_value unnest uuid var_pop
    var_samp week weekday weekofyear year yearweek array_value list_dot_product xor to_char
""",
}
