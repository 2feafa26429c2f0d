CREATE TABLE policy (id INTEGER PRIMARY KEY, holder TEXT, product TEXT, premium REAL, starts DATE);
CREATE TABLE claim (id INTEGER PRIMARY KEY, policy_id INTEGER, cause TEXT, filed DATE, amount REAL, status TEXT);

-- Which holders have a household policy?
SELECT holder FROM policy WHERE product = 'household';

-- How many claims are pending?
SELECT COUNT(*) FROM claim WHERE status = 'pending';

-- What is the largest amount ever claimed?
SELECT MAX(amount) FROM claim;

-- Show holder and premium of all travel policies dearer than 150.
SELECT holder, premium FROM policy WHERE product = 'travel' AND premium > 150;

-- Which products do we sell?
SELECT DISTINCT product FROM policy;

-- How much do all premiums come to?
SELECT SUM(premium) FROM policy;

-- List cause and amount of the claims that were rejected.
SELECT cause, amount FROM claim WHERE status = 'rejected';

-- Which claims have no amount yet? Return the id and the cause.
SELECT id, cause FROM claim WHERE amount IS NULL;

-- How many claims are due to hail or storm?
SELECT COUNT(*) FROM claim WHERE cause IN ('hail', 'storm');

-- Which policies of Greta Holm start after 2022-06-30? Show the product.
SELECT product FROM policy WHERE holder = 'Greta Holm' AND starts > '2022-06-30';

-- How many policies are there for each product?
SELECT product, COUNT(*) FROM policy GROUP BY product;

-- Sum up the claimed amounts by cause.
SELECT cause, SUM(amount) FROM claim GROUP BY cause;

-- What are the three highest claims? Show cause and amount.
SELECT cause, amount FROM claim ORDER BY amount DESC LIMIT 3;

-- Which causes lead to an average claim of more than 8000?
SELECT cause FROM claim GROUP BY cause HAVING AVG(amount) > 8000;

-- When did Greta Holm file claims, and for how much? Date first.
SELECT claim.filed, claim.amount FROM claim JOIN policy ON claim.policy_id = policy.id WHERE policy.holder = 'Greta Holm';

-- How many claims have been made on each product?
SELECT policy.product, COUNT(*) FROM policy JOIN claim ON claim.policy_id = policy.id GROUP BY policy.product;

-- Name the holders with pending claims, each once, in alphabetical order.
SELECT DISTINCT policy.holder FROM policy JOIN claim ON claim.policy_id = policy.id WHERE claim.status = 'pending' ORDER BY policy.holder;

-- What is the average premium of each product, from lowest to highest?
SELECT product, AVG(premium) FROM policy GROUP BY product ORDER BY AVG(premium);

-- Which policies have no claims? Show policy id and holder.
SELECT policy.id, policy.holder FROM policy LEFT JOIN claim ON claim.policy_id = policy.id WHERE claim.id IS NULL;

-- On which policies has more been claimed than the premium? Give the policy id and the total claimed.
SELECT policy.id, SUM(claim.amount) FROM policy JOIN claim ON claim.policy_id = policy.id GROUP BY policy.id HAVING SUM(claim.amount) > policy.premium;

-- How many claims were filed in each year?
SELECT strftime('%Y', filed), COUNT(*) FROM claim GROUP BY strftime('%Y', filed);

-- Which holders pay a higher premium than the average travel policy? Each holder once.
SELECT DISTINCT holder FROM policy WHERE premium > (SELECT AVG(premium) FROM policy WHERE product = 'travel');

-- Who holds both a household and a travel policy?
SELECT holder FROM policy WHERE product = 'household' INTERSECT SELECT holder FROM policy WHERE product = 'travel';

-- Which policies have at least one claim that was rejected? Show id and holder.
SELECT id, holder FROM policy WHERE EXISTS (SELECT 1 FROM claim WHERE claim.policy_id = policy.id AND claim.status = 'rejected');
