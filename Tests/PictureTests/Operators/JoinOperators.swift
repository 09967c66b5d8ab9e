import Tributary

/// The code of the pages *Joins of streams* and *Joins of a stream with a table*.
enum JoinOperators {
    static func streams(_ builder: StreamsBuilder) {
        // snippet.streams
        let shown = builder.stream("shown", of: String.self)
        let clicked = builder.stream("clicked", of: String.self)
        let window = JoinWindows.within(.seconds(10), grace: .seconds(2))
        shown.join(clicked, within: window) { shown, clicked in "\(shown) \(clicked)" }.to("inner")
        shown.leftJoin(clicked, within: window) { shown, clicked in "\(shown) \(clicked ?? "-")" }.to("left")
        shown.outerJoin(clicked, within: window) { shown, clicked in "\(shown ?? "-") \(clicked ?? "-")" }.to("outer")
        // snippet.end
    }

    static func table(_ builder: StreamsBuilder) {
        // snippet.table
        let cities = builder.table("cities", of: String.self)  // customer: city
        let orders = builder.stream("orders", of: String.self)  // customer: article
        orders.join(cities) { article, city in "\(article) to \(city)" }.to("inner")
        orders.leftJoin(cities) { article, city in "\(article) to \(city ?? "nowhere")" }.to("left")
        // snippet.end
    }

    static func grace(_ builder: StreamsBuilder) {
        // snippet.grace
        let prices = builder.table(
            "prices", key: .string, value: .int64, materialized: Materialized(type: .versioned(history: .seconds(60))))
        builder.stream("orders", of: Int64.self)  // article: pieces
            .join(prices, grace: .seconds(5)) { pieces, price in pieces * price }
            .to("sums")
        // snippet.end
    }

    static func global(_ builder: StreamsBuilder) {
        // snippet.global
        let articles = builder.globalTable("articles", of: String.self)  // number: name
        builder.stream("orders", of: String.self)  // customer: number
            .join(articles, by: { _, number in number }) { _, name in name }
            .to("named")
        // snippet.end
    }
}
