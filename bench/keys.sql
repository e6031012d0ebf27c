-- Keys of other types than bigint, for bench/run: key number i of each kind, always the same for the same i.
-- What real keys look like is in their lengths, in what they begin with, and in how often parts of them recur: names,
-- hosts and words are drawn by Zipf's law, the one of rank r with a probability next to 1 / r.

-- A number from 0 to 2^63 - 1 drawn with i; draws of different numbers are independent.
CREATE FUNCTION bench.draw(i bigint, draw int) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN
  hashint8extended(i, draw) & 9223372036854775807;

-- A rank from 1 to n, by Zipf's law.
CREATE FUNCTION bench.zipf(i bigint, draw int, n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN
  floor(exp(bench.draw(i, draw) / 9223372036854775808.0::float8 * ln(n + 1.0::float8)))::int;

-- Version 4: random. Version 7: one a millisecond, in the order of time.
CREATE FUNCTION bench.uuid(i bigint, version int) RETURNS uuid LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  first text := lpad(to_hex(hashint8extended(i, 11)), 16, '0');
  second text := lpad(to_hex(hashint8extended(i, 12)), 16, '0');
BEGIN
  RETURN CASE version WHEN 4 THEN left(first, 12) ELSE lpad(to_hex(1700000000000 + i), 12, '0') END || version
    || right(first, 3) || substr('89ab', 1 + (bench.draw(i, 13) & 3)::int, 1) || left(second, 15);
END $$;

-- The word of a rank: syllables, the fewer the more frequent it is, and an ending. Different words for different ranks
-- but for some that come out the same, as homonyms do.
CREATE FUNCTION bench.word(rank int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  word text := '';
  rest int := rank;
BEGIN
  WHILE rest > 0 LOOP
    word := word || ('{a,al,an,ar,ba,be,bo,can,car,cat,ce,char,co,com,con,cre,de,den,di,dis,do,el,en,ex,fa,fi,for,ga,gen,
      gra,ha,hand,in,is,la,le,lo,ma,man,men,mi,mo,na,ne,no,o,pa,par,per,po,pre,pro,re,ri,ro,sa,se,so,ta,te,tra,un,ver,
      vi}'::text[])[1 + rest % 64];
    rest := rest / 64;
  END LOOP;
  RETURN word || ('{"","",s,ed,ing,er,t,ly,tion,ment,n,y}'::text[])[1 + bench.draw(rank, 21) % 12];
END $$;

-- An address as people have them: first and last name, often a number, at one of a few large providers or at a host of
-- their own.
CREATE FUNCTION bench.email(i bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN ('{james,mary,john,linda,robert,susan,david,anna,michael,sarah,maria,peter,laura,thomas,emma,daniel,julia,paul,
      lisa,mark,karen,george,nina,steven,helen,kevin,sofia,brian,alice,edward,ruth,j,m,s,a}'::text[])[bench.zipf(i, 31, 35)]
    || ('{.,.,_,""}'::text[])[1 + bench.draw(i, 32) % 4] || bench.word(100 + bench.zipf(i, 33, 20000))
    || CASE WHEN bench.draw(i, 34) % 5 < 3 THEN (bench.draw(i, 35) % 2000)::text ELSE '' END || '@'
    || CASE WHEN bench.draw(i, 36) % 10 < 7
         THEN ('{gmail.com,yahoo.com,hotmail.com,outlook.com,icloud.com,aol.com,gmx.de,mail.ru,web.de,qq.com}'::text[])
           [bench.zipf(i, 37, 10)]
         ELSE bench.word(100 + bench.zipf(i, 38, 20000)) || '.com' END;
END $$;

-- An address as a crawler meets them: scheme, one of 20,000 hosts, a section, and a number, a title or both.
CREATE FUNCTION bench.url(i bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  host int := bench.zipf(i, 41, 20000);
  kind int := bench.draw(i, 42) % 5;
  number bigint := bench.draw(i, 43) % 10000000;
BEGIN
  RETURN CASE WHEN bench.draw(host, 44) % 10 < 8 THEN 'https://' ELSE 'http://' END
    || CASE WHEN bench.draw(host, 45) % 2 = 0 THEN 'www.' ELSE '' END || bench.word(100 + host)
    || ('{.com,.com,.com,.org,.net,.de,.co.uk}'::text[])[1 + bench.draw(host, 46) % 7] || '/'
    || ('{articles,products,users,blog,news,category,wiki,questions,tag,images,archive,docs}'::text[])[bench.zipf(i, 47, 12)]
    || CASE kind
         WHEN 0 THEN '?id=' || number || '&page=' || bench.zipf(i, 48, 50)
         WHEN 1 THEN '/' || bench.word(bench.zipf(i, 49, 5000))
         WHEN 2 THEN to_char(date '2015-01-01' + (number % 3650)::int, '/YYYY/MM')
         ELSE '/' || number END
    || CASE WHEN kind IN (0, 4) THEN ''
         ELSE '/' || bench.word(bench.zipf(i, 50, 50000)) || '-' || bench.word(bench.zipf(i, 51, 50000)) END;
END $$;

-- An amount from 0.01 to 9 million, small ones more often.
CREATE FUNCTION bench.amount(i bigint) RETURNS numeric LANGUAGE sql IMMUTABLE RETURN
  0.01 + round(exp(bench.draw(i, 61) / 9223372036854775808.0::float8 * 16)::numeric, 2);

-- Times in the order of i, to the microsecond, 50 ms apart on average.
CREATE FUNCTION bench.moment(i bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE RETURN
  timestamptz '2024-01-01 00:00:00+00' + (i * 50000 + bench.draw(i, 71) % 50000) * interval '1 us';
