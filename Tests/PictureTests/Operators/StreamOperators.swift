import Tributary

/// The code of the page *Streams*.
enum StreamOperators {
    static func branches(_ builder: StreamsBuilder) {
        // snippet.branches
        let branches = builder.stream("orders", of: Int64.self)
            .filter { _, euros in euros > 0 }
            .split(named: "order-")
            .branch("large") { _, euros in euros >= 100 }
            .defaultBranch("small")
        branches["large"].to("large")
        branches["small"].mapValues { euros in "\(euros) only" }.to("small")
        // snippet.end
    }

    static func words(_ builder: StreamsBuilder) {
        // snippet.words
        builder.stream("lines", of: String.self)
            .flatMapValues { line in line.split(separator: " ").map { String($0) } }
            .merge(builder.stream("more-words", of: String.self))
            .to("words")
        // snippet.end
    }

    static func repartition(_ builder: StreamsBuilder) {
        // snippet.repartition
        builder.stream("orders", of: String.self)  // order: customer
            .selectKey { _, customer in customer }
            .groupByKey(named: "by-customer")
            .count()
            .toStream()
            .to("orders-of")
        // snippet.end
    }
}
