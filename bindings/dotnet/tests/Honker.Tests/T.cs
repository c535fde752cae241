class P { static void Main() { using (var db = Honker.Database.Open("/tmp/dn/x.db")) { db.Queue("q").Enqueue(new { a = 1 }); System.Console.WriteLine(db.Queue("q").ClaimOne("w")!.Payload); } } }
