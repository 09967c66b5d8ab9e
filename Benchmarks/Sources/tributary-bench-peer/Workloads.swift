import Tributary

/// The workloads of the comparison with Kafka Streams: the same topologies, on the same bytes.
enum Workload: String, CaseIterable {
    case passthrough
    case filterMap = "filter-map"
    case count
    case windowedCount = "windowed-count"
    case repartitionCount = "repartition-count"
    case streamTableJoin = "stream-table-join"
    case streamStreamJoin = "stream-stream-join"
    case bankJSON = "bank-json"
    case restore
    case startup
    case latency

    /// - Parameter inputs: the input topics; joins have the other side's second.
    func topology(from inputs: [String], to output: String) throws -> Topology {
        let builder = StreamsBuilder()
        if self == .bankJSON {
            guard inputs.count == 2 else { throw PeerError(description: "this workload needs two input topics") }
            Bank.add(to: builder, transactions: inputs[0], accounts: inputs[1], output: output)
            return try builder.build()
        }
        let stream = builder.stream(inputs[0], key: .string, value: .bytes)
        switch self {
        case .passthrough, .startup:
            stream.mapValues { $0 }.to(output, value: .bytes)
        case .filterMap:
            stream.filter { _, value in value[16] & 1 == 0 }
                .map { _, value in (otherKey(value), Array(value[..<50])) }
                .to(output, key: .string, value: .bytes)
        case .count:
            stream.groupByKey().count(as: "counts").toStream().to(output)
        case .windowedCount:
            stream.groupByKey().windowedBy(.tumbling(size: .seconds(60), grace: .seconds(600))).count(as: "counts")
                .toStream().to(output)
        case .repartitionCount:
            stream.selectKey { _, value in otherKey(value) }.groupByKey(key: .string, value: .bytes)
                .count(as: "counts").toStream().to(output)
        case .streamTableJoin:
            guard inputs.count == 2 else { throw PeerError(description: "this workload needs two input topics") }
            stream.join(builder.table(inputs[1], key: .string, value: .bytes, as: "table"), first50)
                .to(output, value: .bytes)
        case .streamStreamJoin:
            guard inputs.count == 2 else { throw PeerError(description: "this workload needs two input topics") }
            let windows = JoinWindows.within(.seconds(5), grace: .seconds(60))
            stream.join(builder.stream(inputs[1], key: .string, value: .bytes), within: windows, as: "join", first50)
                .to(output, value: .bytes)
        case .bankJSON: break
        case .restore, .latency:
            stream.groupByKey().reduce(as: "store") { _, value in value }.toStream().to(output)
        }
        return try builder.build()
    }
}

private func otherKey(_ value: [UInt8]) -> String { String(decoding: value[..<16], as: UTF8.self) }

@Sendable private func first50(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] { Array(left[..<50] + right[..<50]) }
