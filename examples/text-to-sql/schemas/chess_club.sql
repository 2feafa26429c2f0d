CREATE TABLE club_player (id INTEGER PRIMARY KEY, name TEXT, rating INTEGER, joined DATE);
CREATE TABLE match_game (id INTEGER PRIMARY KEY, white_id INTEGER NOT NULL, black_id INTEGER, opening TEXT, moves INTEGER, result TEXT);

-- Who has a rating above 2000?
SELECT name FROM club_player WHERE rating > 2000;

-- How many games ended in a draw?
SELECT COUNT(*) FROM match_game WHERE result = 'draw';

-- What rating does Mira Kowalska have?
SELECT rating FROM club_player WHERE name = 'Mira Kowalska';

-- Which openings have been played in the club? Show each only once.
SELECT DISTINCT opening FROM match_game;

-- What is the average number of moves in a game?
SELECT AVG(moves) FROM match_game;

-- List name and rating of players who joined after 2021-09-01.
SELECT name, rating FROM club_player WHERE joined > '2021-09-01';

-- How many games lasted between 20 and 40 moves?
SELECT COUNT(*) FROM match_game WHERE moves BETWEEN 20 AND 40;

-- Which players are still unrated?
SELECT name FROM club_player WHERE rating IS NULL;

-- Give opening and result of all games shorter than 15 moves.
SELECT opening, result FROM match_game WHERE moves < 15;

-- What is the lowest rating in the club?
SELECT MIN(rating) FROM club_player;

-- How often has each opening been played?
SELECT opening, COUNT(*) FROM match_game GROUP BY opening;

-- Show the ten best-rated players with their ratings.
SELECT name, rating FROM club_player ORDER BY rating DESC LIMIT 10;

-- Which openings lead to games of more than 50 moves on average?
SELECT opening FROM match_game GROUP BY opening HAVING AVG(moves) > 50;

-- In which openings has Mira Kowalska had the white pieces? List each opening once.
SELECT DISTINCT match_game.opening FROM match_game JOIN club_player ON match_game.white_id = club_player.id WHERE club_player.name = 'Mira Kowalska';

-- How many games has every player played as Black? Give the name and the count.
SELECT club_player.name, COUNT(*) FROM club_player JOIN match_game ON match_game.black_id = club_player.id GROUP BY club_player.id;

-- How many games ended with each result?
SELECT result, COUNT(*) FROM match_game GROUP BY result;

-- Who was the first to join the club?
SELECT name FROM club_player ORDER BY joined LIMIT 1;

-- Name the opening of the longest game and its number of moves.
SELECT opening, moves FROM match_game ORDER BY moves DESC LIMIT 1;

-- For each game, show the name of White, the name of Black and the result.
SELECT white.name, black.name, match_game.result FROM match_game JOIN club_player AS white ON match_game.white_id = white.id JOIN club_player AS black ON match_game.black_id = black.id;

-- Which players are rated higher than the club average?
SELECT name FROM club_player WHERE rating > (SELECT AVG(rating) FROM club_player);

-- Who has never had the white pieces?
SELECT name FROM club_player WHERE id NOT IN (SELECT white_id FROM match_game);

-- How many players joined in 2019?
SELECT COUNT(*) FROM club_player WHERE strftime('%Y', joined) = '2019';

-- In which games was White rated at least 300 points above Black? Give the game ids.
SELECT match_game.id FROM match_game JOIN club_player AS white ON match_game.white_id = white.id JOIN club_player AS black ON match_game.black_id = black.id WHERE white.rating - black.rating >= 300;

-- Which openings do not have the word Defence in their name? Each one once.
SELECT DISTINCT opening FROM match_game WHERE opening NOT LIKE '%Defence%';
