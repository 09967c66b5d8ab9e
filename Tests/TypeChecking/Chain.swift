// Thirty operators in one chain, with closures of one expression: `.ci/typecheck` measures how long the compiler thinks about it.
import Tributary

func chain(_ builder: StreamsBuilder) throws -> Topology {
    let names = builder.table("names", key: .string, value: .string)
    let rates = builder.table("rates", key: .string, value: .double)
    builder.stream("in", of: String.self)
        .filter { key, value in !key.isEmpty && value.count > 1 }
        .mapValues { $0.lowercased() }
        .mapValues { $0.utf8.count }
        .mapValues { $0 * 2 + 1 }
        .mapValues { Double($0) / 3 }
        .mapValues { $0.rounded() }
        .mapValues { Int64($0) }
        .mapValuesWithKey { key, value in "\(key)-\(value)" }
        .leftJoin(names) { text, name in text + (name ?? "nobody") }
        .filterNot { $1.isEmpty }
        .peek { key, value in print(key, value) }
        .flatMapValues { $0.split(separator: "-").map(String.init) }
        .flatMapValuesWithKey { key, value in [key, value] }
        .selectKey { _, word in word }
        .map { key, value in (key + value, Int64(value.count)) }
        .join(rates) { count, rate in Double(count) * rate }
        .joinWithKey(rates) { key, value, rate in key.count > 3 ? value * rate : value / rate }
        .leftJoinWithKey(names) { key, value, name in "\(key) \(value) \(name ?? "")" }
        .repartition(named: "again")
        .mapValues { $0.uppercased() }
        .mapValues { Int64($0.count) &+ 1 }
        .groupByKey()
        .aggregate(into: Int64(0)) { sum, value in sum += value }
        .toStream()
        .mapValues { $0 / 2 }
        .mapValues { $0 > 10 ? $0 : -$0 }
        .flatMap { key, value in [(key, value), (key + "!", value * 2)] }
        .filter { $1 != 0 }
        .groupBy { key, value in key + String(value) }
        .count(as: "counts")
        .toStream()
        .to("out")
    return try builder.build()
}
