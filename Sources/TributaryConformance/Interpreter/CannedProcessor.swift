internal import TributaryCore
internal import TributaryDSL

/// The processors that cases name, on the Processor API; section 6 of the format defines each.
final class CannedProcessor<Key: CaseKeyType, Input: CaseValueType>: Processor {
    typealias KeyIn = Key
    typealias ValueIn = Input
    typealias KeyOut = Key
    typealias ValueOut = CaseValue

    private let settings: ProcessorSettings
    private var context: ProcessorContext<Key, CaseValue>?
    private var values: KeyValueStore<CaseKey, CaseValue>?
    private var counts: KeyValueStore<CaseKey, Int64>?
    private var windows: WindowStore<CaseKey, CaseValue>?
    private var sessions: SessionStore<CaseKey, CaseValue>?
    private var versions: VersionedKeyValueStore<CaseKey, CaseValue>?
    private var schedule: Punctuation?
    private var fired: Int64 = 0

    init(_ settings: ProcessorSettings) { self.settings = settings }

    func initialize(_ context: ProcessorContext<Key, CaseValue>) throws {
        self.context = context
        if let name = settings.store {
            switch settings.kind {
            case .window, .windowAll: windows = try context.windowStore(name, key: .caseKey, value: .caseText)
            case .session: sessions = try context.sessionStore(name, key: .caseKey, value: .caseText)
            case .versioned: versions = try context.versionedStore(name, key: .caseKey, value: .caseText)
            default:
                if settings.storeHasIntegers {
                    counts = try context.keyValueStore(name, key: .caseKey, value: .int64)
                } else {
                    values = try context.keyValueStore(name, key: .caseKey, value: .caseText)
                }
            }
        }
        if settings.every != nil, settings.scheduleOn == nil { try startSchedule() }
    }

    func process(_ record: Record<Key, Input>) throws {
        try handle(
            Record(
                key: record.key, value: record.value.caseValue, timestamp: record.timestamp, headers: record.headers))
    }

    func processTombstone(_ record: Record<Key, Void>) throws { try handle(record.with(value: CaseValue.null)) }

    private func needed<Part>(_ part: Part?) throws -> Part {
        guard let part else { throw CaseError("the processor '\(settings.kind.rawValue)' needs its store") }
        return part
    }

    private func handle(_ record: Record<Key, CaseValue>) throws {
        let context = try needed(self.context)
        switch settings.kind {
        case .pass: try context.forward(record)
        case .drop: break
        case .times: for _ in 0..<max(settings.times, 0) { try context.forward(record) }
        case .addHeader:
            var record = record
            record.headers = record.headers.adding(settings.headerName, settings.headerValue)
            try context.forward(record)
        case .shiftTs:
            var record = record
            // As a Java long: beyond the greatest time is below 0, and refused.
            record.timestamp &+= settings.shift
            try context.forward(record)
        case .meta:
            let text = meta(context).text(record.value.text, timestamp: record.timestamp, headers: record.headers)
            try context.forward(record.with(value: .text(text)))
        case .route:
            if let child = settings.children[firstCharacter(record.value.text) ?? ""] {
                try context.forward(record, to: child)
            } else {
                try context.forward(record)
            }
        case .punctuate:
            if schedule == nil, let mark = settings.scheduleOn, record.value.text == mark { try startSchedule() }
            if settings.forwards { try context.forward(record) }
        case .dedup, .counter, .ttl, .putChars, .kvAll, .readTable, .fold: try handleWithValues(record, context)
        case .window, .windowAll: try handleWithWindows(record, context)
        case .session: try handleWithSessions(record, context)
        case .versioned: try handleWithVersions(record, context)
        }
    }

    private func handleWithSessions(
        _ record: Record<Key, CaseValue>, _ context: ProcessorContext<Key, CaseValue>
    ) throws {
        let sessions = try needed(self.sessions)
        let key = record.key.caseKey
        guard !key.isNull else { return }
        let time = record.timestamp
        // At the ends of time Java's would turn over.
        func clamped(_ sum: Int128) -> Int64 { Int64(clamping: sum) }
        let end = clamped(Int128(time) + Int128(record.value.text?.count ?? 0))
        try sessions.put(Windowed(key: key, window: Window(start: time, end: end)), record.value)
        let first = clamped(Int128(time) - Int128(settings.back))
        let last = clamped(Int128(time) + Int128(settings.back))
        let found =
            try list(try sessions.sessions(of: key, endingFrom: first, startingThrough: last)) {
                "\(shown($0.key.keyText))=\(shown($0.value.text))"
            }
            + list(try sessions.fetch(key)) { shown($0.key.keyText) }
        try context.forward(record.with(value: .text(found)))
    }

    private func meta(_ context: ProcessorContext<Key, CaseValue>) -> ProcessorMeta {
        ProcessorMeta(
            coordinate: context.recordMetadata, streamTime: context.streamTime, wallClock: context.systemTime)
    }

    // MARK: Stores of versions

    private func handleWithVersions(
        _ record: Record<Key, CaseValue>, _ context: ProcessorContext<Key, CaseValue>
    ) throws {
        let key = record.key.caseKey
        if key.isNull { return }
        let versions = try needed(self.versions)
        func text(_ entry: StoreEntry<CaseKey, CaseValue>?) -> String {
            entry.map { "\(shown($0.value.text))@\($0.timestamp)" } ?? "~"
        }
        let end =
            switch try versions.put(key, record.value, timestamp: record.timestamp) {
            case .newest: Int64(-1)
            case .until(let time): time
            case .refused: Int64.min
            }
        let now = text(try versions.get(key))
        let past = text(try versions.get(key, at: max(0, record.timestamp - settings.back)))
        try context.forward(record.with(value: .text("to=\(end);now=\(now);asOf=\(past)")))
    }

    // MARK: Key-value stores

    private func handleWithValues(
        _ record: Record<Key, CaseValue>, _ context: ProcessorContext<Key, CaseValue>
    ) throws {
        let key = record.key.caseKey
        let value = record.value
        switch settings.kind {
        case .readTable:
            var row: TableRow?
            if !key.isNull {
                if let counts {
                    row = try counts.get(key).map { TableRow(value: .integer($0.value), timestamp: $0.timestamp) }
                } else {
                    row = try needed(values).get(key).map { TableRow(value: $0.value, timestamp: $0.timestamp) }
                }
            }
            try context.forward(record.with(value: readTableText(value, row)))
        case .kvAll:
            let values = try needed(self.values)
            if !key.isNull { try values.put(key, value) }
            try context.forward(record.with(value: .text(try walks(values))))
        case .putChars:
            let values = try needed(self.values)
            guard let text = value.text else { throw FunctionFailure("putChars of null") }
            for (index, character) in text.enumerated() {
                try values.put(.text(String(character)), .text(String(index)))
            }
        case .fold:
            guard !key.isNull, let text = value.text else { return }
            let values = try needed(self.values)
            guard let old = try values.get(key) else {
                try values.put(key, value, from: [])
                return try context.forward(record)
            }
            let folded = CaseValue.text(shown(old.value.text) + text)
            try values.put(key, folded, from: [old])
            try context.forward(record.with(value: folded), from: old)
        case .dedup where key.isNull: try context.forward(record)
        case _ where key.isNull: break
        case .dedup:
            let values = try needed(self.values)
            if try values.get(key)?.value ?? .null != value {
                try values.put(key, value)
                try context.forward(record)
            }
        case .counter:
            let values = try needed(self.values)
            let count = try values.get(key).flatMap { $0.value.text }.flatMap { Int64($0) } ?? 0
            try values.put(key, .text(String(count + 1)))
        default:
            let values = try needed(self.values)
            if let text = value.text {
                try values.put(key, .text("\(record.timestamp):\(text)"))
            } else {
                try values.delete(key)
            }
            try context.forward(record)
        }
    }

    private func walks(_ values: KeyValueStore<CaseKey, CaseValue>) throws -> String {
        try list(try values.all()) { "\(shown($0.key.innerKey))=\(shown($0.value.text))" }
            + list(try values.all(reverse: true)) { shown($0.key.innerKey) }
            + list(try values.range(from: .text("b"), through: .text("d"))) { shown($0.key.innerKey) }
            + list(try values.prefixScan("a", .string)) { shown($0.key.innerKey) }
    }

    // MARK: Window stores

    private func handleWithWindows(
        _ record: Record<Key, CaseValue>, _ context: ProcessorContext<Key, CaseValue>
    ) throws {
        let windows = try needed(self.windows)
        let key = record.key.caseKey
        guard !key.isNull else { return }
        let time = record.timestamp
        let start = max(0, time - settings.back)
        try windows.put(key, record.value, windowStart: time)
        if settings.kind == .window {
            let found = try list(try windows.fetch(key, from: start, through: time)) {
                "\($0.key.window.start)=\(shown($0.value.text))"
            }
            return try context.forward(record.with(value: .text(found)))
        }
        let found =
            try list(try windows.all()) { "\(shown($0.key.keyText))=\(shown($0.value.text))" }
            + list(try windows.all(reverse: true)) { shown($0.key.keyText) }
            + list(try windows.fetchAll(from: start, through: time)) { shown($0.key.keyText) }
            + list(try windows.fetch(keysFrom: .text("a"), through: .text("b"), from: 0, through: time)) {
                shown($0.key.keyText)
            }
        try context.forward(record.with(value: .text(found)))
    }

    // MARK: Punctuations

    private func startSchedule() throws {
        let context = try needed(self.context)
        schedule = context.schedule(every: .milliseconds(settings.every ?? 1), settings.clock) { [weak self] now in
            try self?.punctuate(now)
        }
    }

    private func punctuate(_ now: Int64) throws {
        let context = try needed(self.context)
        fired += 1
        switch settings.kind {
        case .punctuate:
            let text =
                settings.punctuationHasMeta
                ? meta(context).text("p", timestamp: now, headers: Headers()) : String(now)
            try context.forward(
                Record(key: try plain(.text(settings.punctuationKey)), value: .text(text), timestamp: now))
        case .counter:
            let values = try needed(self.values)
            for entry in try entries(values) {
                try context.forward(Record(key: try plain(entry.key), value: entry.value, timestamp: now))
                try values.delete(entry.key)
            }
        case .fold:
            let values = try needed(self.values)
            for entry in try entries(values) {
                let record = Record(key: try plain(entry.key), value: entry.value, timestamp: now)
                try context.forward(record, from: entry)
                try values.delete(entry.key)
            }
        case .ttl:
            let values = try needed(self.values)
            for entry in try entries(values) {
                guard let time = entry.value.text?.prefix(while: { $0 != ":" }), let written = Int64(time),
                    written <= now - settings.timeToLive
                else { continue }
                try values.delete(entry.key)
                try context.forward(Record(key: try plain(entry.key), value: .null, timestamp: now))
            }
        default: throw CaseError("the processor '\(settings.kind.rawValue)' has no punctuation")
        }
        if let limit = settings.cancelAfter, fired >= limit { schedule?.cancel() }
    }

    private func entries(
        _ values: KeyValueStore<CaseKey, CaseValue>
    ) throws -> [StoreEntry<CaseKey, CaseValue>] {
        let walk = try values.all()
        var entries: [StoreEntry<CaseKey, CaseValue>] = []
        while let entry = try walk.nextEntry() { entries.append(entry) }
        walk.close()
        return entries
    }

    private func plain(_ key: CaseKey) throws -> Key {
        guard let key = Key.plain(key) else { throw CaseError("a plain key where keys have windows") }
        return key
    }
}
