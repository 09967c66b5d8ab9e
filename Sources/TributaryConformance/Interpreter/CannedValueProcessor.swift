internal import TributaryCore
internal import TributaryDSL

/// The processors that cases name and that keep the key.
final class CannedValueProcessor<Key: CaseKeyType, Input: CaseValueType>: FixedKeyProcessor {
    typealias ValueIn = Input
    typealias ValueOut = CaseValue

    private let settings: ProcessorSettings
    private var context: FixedKeyProcessorContext<Key, CaseValue>?
    private var values: KeyValueStore<CaseKey, CaseValue>?
    private var counts: KeyValueStore<CaseKey, Int64>?

    init(_ settings: ProcessorSettings) { self.settings = settings }

    func initialize(_ context: FixedKeyProcessorContext<Key, CaseValue>) throws {
        self.context = context
        guard let name = settings.store else { return }
        if settings.storeHasIntegers {
            counts = try context.keyValueStore(name, key: .caseKey, value: .int64)
        } else {
            values = try context.keyValueStore(name, key: .caseKey, value: .caseText)
        }
    }

    func process(_ record: Record<Key, Input>) throws {
        guard let context else { throw CaseError("the processor was not initialised") }
        let value = record.value.caseValue
        let output = record.with(value: value)
        let key = record.key.caseKey
        switch settings.kind {
        case .pass: try context.forward(output)
        case .drop: break
        case .times: for _ in 0..<max(settings.times, 0) { try context.forward(output) }
        case .meta:
            let meta = ProcessorMeta(
                coordinate: context.recordMetadata, streamTime: context.streamTime, wallClock: context.systemTime)
            let text = meta.text(value.text, timestamp: record.timestamp, headers: record.headers)
            try context.forward(output.with(value: .text(text)))
        case .addHeader:
            var output = output
            output.headers = output.headers.adding(settings.headerName, settings.headerValue)
            try context.forward(output)
        case .dedup:
            guard let values else { throw CaseError("the processor 'dedup' needs its store") }
            guard !key.isNull else { return try context.forward(output) }
            if try values.get(key)?.value ?? .null != value {
                try values.put(key, value)
                try context.forward(output)
            }
        case .readTable:
            var row: TableRow?
            if !key.isNull {
                row =
                    try values?.get(key).map { TableRow(value: $0.value, timestamp: $0.timestamp) }
                    ?? counts?.get(key).map { TableRow(value: .integer($0.value), timestamp: $0.timestamp) }
            }
            try context.forward(output.with(value: readTableText(value, row)))
        default: throw CaseError("the processor '\(settings.kind.rawValue)' can't keep the key")
        }
    }
}
