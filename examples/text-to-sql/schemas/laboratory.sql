CREATE TABLE reagent (id INTEGER PRIMARY KEY, name TEXT, hazard TEXT, grams REAL, expires DATE);
CREATE TABLE assay (id INTEGER PRIMARY KEY, code TEXT, scientist TEXT, done_on DATE);
CREATE TABLE usage (assay_id INTEGER, reagent_id INTEGER NOT NULL, grams REAL);

-- Which reagents are corrosive?
SELECT name FROM reagent WHERE hazard = 'corrosive';

-- How many grams of silver nitrate are left?
SELECT grams FROM reagent WHERE name = 'silver nitrate';

-- Which reagents expire before 2025-06-30?
SELECT name FROM reagent WHERE expires < '2025-06-30';

-- How many assays has Dr Ferrante run?
SELECT COUNT(*) FROM assay WHERE scientist = 'Dr Ferrante';

-- List code and date of the assays by Dr Ferrante since 2024-01-01, that day included.
SELECT code, done_on FROM assay WHERE scientist = 'Dr Ferrante' AND done_on >= '2024-01-01';

-- What hazards are present on our shelves? No blanks and no repeats.
SELECT DISTINCT hazard FROM reagent WHERE hazard IS NOT NULL;

-- Which reagents are harmless, having no hazard? Show name and grams.
SELECT name, grams FROM reagent WHERE hazard IS NULL;

-- Find all assays whose code starts with QX.
SELECT code FROM assay WHERE code LIKE 'QX%';

-- What is the total weight of all toxic or flammable reagents, in grams?
SELECT SUM(grams) FROM reagent WHERE hazard IN ('toxic', 'flammable');

-- When was the most recent assay done?
SELECT MAX(done_on) FROM assay;

-- How many reagents are there for each hazard, the harmless ones left out?
SELECT hazard, COUNT(*) FROM reagent WHERE hazard IS NOT NULL GROUP BY hazard;

-- Which scientist has done the most assays?
SELECT scientist FROM assay GROUP BY scientist ORDER BY COUNT(*) DESC LIMIT 1;

-- List the reagents by expiry date, soonest first, with the date.
SELECT name, expires FROM reagent ORDER BY expires;

-- How many grams of each reagent have been used so far? Give name and grams.
SELECT reagent.name, SUM(usage.grams) FROM reagent JOIN usage ON usage.reagent_id = reagent.id GROUP BY reagent.id;

-- Which scientists have completed over 6 assays?
SELECT scientist FROM assay GROUP BY scientist HAVING COUNT(*) > 6;

-- How many reagents did each assay need? Show the assay code and the count.
SELECT assay.code, COUNT(*) FROM assay JOIN usage ON usage.assay_id = assay.id GROUP BY assay.id;

-- Name the five reagents we hold most of, by grams.
SELECT name FROM reagent ORDER BY grams DESC LIMIT 5;

-- What was the largest amount of silver nitrate, in grams, used in one assay?
SELECT MAX(usage.grams) FROM usage JOIN reagent ON usage.reagent_id = reagent.id WHERE reagent.name = 'silver nitrate';

-- Which reagents were used in assay QX-19? Show name and grams used.
SELECT reagent.name, usage.grams FROM reagent JOIN usage ON usage.reagent_id = reagent.id JOIN assay ON usage.assay_id = assay.id WHERE assay.code = 'QX-19';

-- Who has worked with toxic reagents? List each scientist once.
SELECT DISTINCT assay.scientist FROM assay JOIN usage ON usage.assay_id = assay.id JOIN reagent ON usage.reagent_id = reagent.id WHERE reagent.hazard = 'toxic';

-- Which reagents have never been used?
SELECT name FROM reagent WHERE id NOT IN (SELECT reagent_id FROM usage);

-- How many assays were done in each year?
SELECT strftime('%Y', done_on), COUNT(*) FROM assay GROUP BY strftime('%Y', done_on);

-- In which assays was an already expired reagent used, the assay being later than the expiry date? Give assay code and reagent name.
SELECT assay.code, reagent.name FROM assay JOIN usage ON usage.assay_id = assay.id JOIN reagent ON usage.reagent_id = reagent.id WHERE assay.done_on > reagent.expires;

-- For which assays is there no record of any reagent used? Give the codes.
SELECT code FROM assay WHERE NOT EXISTS (SELECT 1 FROM usage WHERE usage.assay_id = assay.id);
