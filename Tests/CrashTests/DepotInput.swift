import CrashApplication
import Tributary
import TributaryCore
import TributaryLMDB

/// Writes what the depot app reads, and keeps what must come of it, computed in the plainest way.
final class DepotInput {
    struct Total: Equatable {
        var count: Int64 = 0
        var amount: Int64 = 0
    }

    /// The calls of each partition, in order.
    private(set) var calls: [Int32: [UInt128]] = [:]
    private(set) var firsts: [Int64: Total] = [:]
    /// The first parcels of each partition, in order.
    private(set) var firstTokens: [Int32: [UInt128]] = [:]
    private(set) var throttled: [Int64: Total] = [:]
    private(set) var priced: [Int64: Total] = [:]
    private(set) var sent = 0

    private static let keys: Int64 = 40
    private let producer: any LogProducer
    private var random: SeededGenerator
    private var time: Int64 = TimeSource.system.wall.milliseconds / 1000 * 1000
    private var token: UInt128 = 0
    private var seen: [Int64: Set<Int64>] = [:]
    private var passed: [Int64: [Int64]] = [:]
    private var tariffs: [Int64: [(time: Int64, tariff: Int64)]] = [:]
    private var places: [Int64: (value: Int64, time: Int64)] = [:]
    private var placeTimes: [Int32: Int64] = [:]
    private var members: [Int64: Int64] = [:]
    private var nextMember: Int64 = 0

    init(_ log: EmbeddedLog, seed: UInt64) throws {
        producer = try log.makeProducer(ProducerConfiguration(clientID: "depot-input"))
        random = SeededGenerator(seed: seed)
    }

    func end() { producer.close() }

    /// Writes what must be there before everything else: all tariffs.
    func prepare() throws {
        for version in Int64(0)..<20 {
            for key in 0..<Self.keys {
                let at = version == 0 ? time - 1000 : time + version * 300
                let tariff = version * 7 % 5 + 1
                tariffs[key, default: []].append((at, tariff))
                try send(DepotApplication.tariffs, key, .int64, tariff, at: at)
            }
        }
        try producer.flush()
    }

    /// Sends so many records of each kind.
    func work(_ count: Int) throws {
        for _ in 0..<count {
            time += Int64(random.next() % 3)
            let key = Int64(random.next() % UInt64(Self.keys))
            token += 1
            let call = Transfer(account: key, amount: Int64(random.next() % 100), token: token)
            calls[try send(DepotApplication.calls, key, .transfer, call, at: time), default: []].append(token)
            try sendParcel(Transfer(account: key, amount: Int64(random.next() % 200), token: token))
            if random.next() % 2 == 0 {
                let place = Int64(random.next() % 200)
                let partition = try send(DepotApplication.places, place, .int64, Int64(sent), at: time)
                places[place] = (Int64(sent), time)
                placeTimes[partition] = time
            }
            if random.next() % 2 == 0 {
                let member = Int64(random.next() % 60)
                if random.next() % 4 == 0 {
                    members[member] = nil
                    _ = try send(DepotApplication.members, member, nil, at: time)
                } else {
                    // Each ranks differently.
                    nextMember += 1
                    let value = (nextMember * 7919) % 100_003
                    members[member] = value
                    try send(DepotApplication.members, member, .int64, value, at: time)
                }
            }
            sent += 1
        }
        try producer.flush()
    }

    private func sendParcel(_ parcel: Transfer) throws {
        let key = parcel.account
        let partition = try send(DepotApplication.parcels, key, .transfer, parcel, at: time)
        func add(_ totals: inout [Int64: Total], times tariff: Int64 = 1) {
            totals[key, default: Total()].count += 1
            totals[key, default: Total()].amount += parcel.amount * tariff
        }
        if seen[key, default: []].insert(parcel.amount).inserted {
            add(&firsts)
            firstTokens[partition, default: []].append(parcel.token)
        }
        if passed[key, default: []].count(where: { $0 > time - DepotApplication.period }) < DepotApplication.passes {
            passed[key, default: []].append(time)
            add(&throttled)
        }
        if let tariff = tariffs[key]?.last(where: { $0.time <= time }) { add(&priced, times: tariff.tariff) }
    }

    // MARK: What must be there

    /// The places that are still kept.
    var keptPlaces: [Int64: Int64] {
        places.filter { key, place in
            place.time + DepotApplication.lifetime > placeTimes[partition(of: key)] ?? 0
        }.mapValues(\.value)
    }

    /// The highest ranks of each group.
    var best: [Int64: [Int64]] {
        Dictionary(grouping: members) { $0.key % DepotApplication.groups }
            .mapValues { Array($0.map(\.value).sorted(by: >).prefix(DepotApplication.ranks)) }
    }

    // MARK: Sending

    private func bytes(_ key: Int64) -> [UInt8] {
        var bytes = ByteWriter()
        bytes.append(bigEndian: key)
        return bytes.copy()
    }

    private func partition(of key: Int64) -> Int32 {
        TributaryCore.partition(forKey: bytes(key).span.bytes, count: DepotApplication.partitions)
    }

    @discardableResult
    private func send<Value>(
        _ topic: String, _ key: Int64, _ serde: Serde<Value>, _ value: Value, at time: Int64
    ) throws -> Int32 {
        try send(topic, key, try serde.bytes(value), at: time)
    }

    private func send(_ topic: String, _ key: Int64, _ value: [UInt8]?, at time: Int64) throws -> Int32 {
        let partition = partition(of: key)
        let number = try producer.number(ofTopic: topic)
        let key = bytes(key)
        if let value {
            try producer.send(
                OutgoingRecord(timestamp: time, key: key.span.bytes, value: value.span.bytes), topic: number,
                partition: partition)
        } else {
            try producer.send(
                OutgoingRecord(timestamp: time, key: key.span.bytes, value: nil), topic: number, partition: partition)
        }
        return partition
    }
}
