import Tributary

/// The code of the page *Aggregations*.
enum AggregationOperators {
    static func streams(_ builder: StreamsBuilder) {
        // snippet.streams
        let sales = builder.stream("sales", of: Int64.self).groupByKey()
        sales.count().toStream().to("count")
        sales.reduce { sum, euros in sum + euros }.toStream().to("sum")
        sales.aggregate(into: "") { line, euros in line += " \(euros)" }.toStream().to("line")
        // snippet.end
    }

    static func cached(_ builder: StreamsBuilder) {
        // snippet.cached
        builder.stream("sales", of: Int64.self)
            .groupByKey()
            .count(as: "counts")
            .toStream()
            .to("count")
        // snippet.end
    }

    static func table(_ builder: StreamsBuilder) {
        // snippet.table
        builder.table("employees", of: String.self)  // employee: department
            .groupBy { employee, department in (department, employee) }
            .count()
            .toStream()
            .to("sizes")
        // snippet.end
    }

    static func cogroup(_ builder: StreamsBuilder) {
        // snippet.cogroup
        let sales = builder.stream("sales", of: Int64.self).groupByKey()
        let returns = builder.stream("returns", of: Int64.self).groupByKey()
        sales.cogroup(of: Int64.self) { sum, euros in sum += euros }
            .cogroup(returns) { sum, euros in sum -= euros }
            .aggregate(into: 0)
            .toStream()
            .to("revenue")
        // snippet.end
    }
}
