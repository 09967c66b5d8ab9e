/// Something that a case may need and a runner may lack.
public enum Feature: String, Sendable, CaseIterable {
    case selfJoinOptimization = "self joins with one store"
    case headersFormat = "store format HEADERS"
    case processValuesFix = "processValues fix"
    case suppliedStore = "stores by supplier"
    case sessionStore = "session stores"
    case versionedStore = "versioned stores"
    case pattern = "sources by pattern"
    case globalTable = "global tables"
    case tableFilter = "filter and filterNot of tables"
    case tableMapValues = "mapValues of tables"
    case tableTransformValues = "transformValues of tables"
    case tableGroupBy = "groupBy of tables"
    case cogroup = "cogroup"
    case suppress = "suppress"
    case slidingWindows = "sliding windows"
    case sessionWindows = "session windows"
    case unlimitedWindows = "unlimited windows"
    case emitOnClose = "emit on window close"
    case streamStreamJoin = "stream-stream joins"
    case streamGlobalTableJoin = "stream-global-table joins"
    case graceJoin = "stream-table joins with grace"
    case tableTableJoin = "table-table joins"
    case foreignKeyJoin = "foreign-key joins"

    /// What the runner lacks.
    ///
    /// Take a line out when its operator works: its cases then run.
    public static let missing: Set<Feature> = []
}

extension ConformanceCase {
    /// The features that the case needs and the runner lacks, in the order of ``Feature``; none if it can be run.
    public func missingFeatures(_ missing: Set<Feature> = Feature.missing) throws(CaseError) -> [Feature] {
        let features = try features()
        return Feature.allCases.filter { features.contains($0) && missing.contains($0) }
    }

    /// The features beyond the first ones that the case needs.
    public func features() throws(CaseError) -> Set<Feature> {
        do throws(CaseError) {
            var finder = FeatureFinder(config)
            for statement in topology {
                try inside("topology[\(statement.index)]") { () throws(CaseError) in try finder.visit(statement) }
            }
            return finder.features
        } catch {
            var error = error
            error.caseID = id
            throw error
        }
    }
}

/// Walks over a topology, knowing what kind of thing each id is.
private struct FeatureFinder {
    private enum Kind { case stream, table, globalTable, groupedStream, groupedTable, windowed, cogrouped }

    private(set) var features: Set<Feature> = []
    private var kinds: [String: Kind] = [:]
    private let optimizesSelfJoins: Bool

    init(_ config: CaseConfig) {
        optimizesSelfJoins = ["all", "single.store.self.join"].contains(config.optimization)
        if config.headersFormat { features.insert(.headersFormat) }
        if config.processValuesFix { features.insert(.processValuesFix) }
    }

    mutating func visit(_ statement: Statement) throws(CaseError) {
        if try statement.materialized?.store?.isSupplier == true { features.insert(.suppliedStore) }
        let kind = try result(of: statement)
        if let kind, let id = try statement.id { kinds[id] = kind }
    }

    private func input(_ statement: Statement) throws(CaseError) -> Kind { try kind(try statement.input, "in") }

    private func kind(_ id: String, _ field: String) throws(CaseError) -> Kind {
        guard let kind = kinds[id] else { throw CaseError("no statement before has the id '\(id)'").inside(field) }
        return kind
    }

    private mutating func result(of statement: Statement) throws(CaseError) -> Kind? {
        switch statement.operation {
        case .stream:
            if statement.fields.has("pattern") { features.insert(.pattern) }
            return .stream
        case .table: return .table
        case .globalTable: return need(.globalTable, .globalTable)
        case .store:
            switch try statement.fields.requiredText("type") {
            case "kv", "timestampedKv", "window": break
            case "session": features.insert(.sessionStore)
            case "versioned": features.insert(.versionedStore)
            case let other: throw CaseError("there is no store '\(other)'").inside("type")
            }
            return nil
        case .filter, .filterNot:
            return try input(statement) == .table ? need(.tableFilter, .table) : .stream
        case .mapValues: return try input(statement) == .table ? need(.tableMapValues, .table) : .stream
        case .transformValues: return need(.tableTransformValues, .table)
        case .map, .flatMap, .flatMapValues, .selectKey, .peek, .repartition, .process, .processValues, .toStream:
            _ = try input(statement)
            return .stream
        case .foreach, .to:
            _ = try input(statement)
            return nil
        case .merge:
            _ = try kind(try statement.secondInput, "in2")
            _ = try input(statement)
            return .stream
        case .split:
            _ = try input(statement)
            for branch in try statement.branches { kinds[branch.id] = .stream }
            return nil
        case .toTable:
            _ = try input(statement)
            return .table
        case .groupByKey: return .groupedStream
        case .groupBy:
            return try input(statement) == .table ? need(.tableGroupBy, .groupedTable) : .groupedStream
        case .windowedBy:
            _ = try input(statement)
            switch try statement.window {
            case .tumbling, .hopping: break
            case .sliding: features.insert(.slidingWindows)
            case .session: features.insert(.sessionWindows)
            case .unlimited: features.insert(.unlimitedWindows)
            }
            if try statement.fields.text("emit") == "onWindowClose" { features.insert(.emitOnClose) }
            return .windowed
        case .cogroup: return need(.cogroup, .cogrouped)
        case .count, .reduce, .aggregate:
            _ = try input(statement)
            return .table
        case .join: return try join(statement)
        case .fkJoin: return need(.foreignKeyJoin, .table)
        case .suppress: return need(.suppress, .table)
        }
    }

    private mutating func join(_ statement: Statement) throws(CaseError) -> Kind {
        let left = try input(statement)
        let right = try kind(try statement.secondInput, "in2")
        switch (left, right) {
        case (.table, _): return need(.tableTableJoin, .table)
        case (_, .globalTable): return need(.streamGlobalTableJoin, .stream)
        case (_, .table): return statement.fields.has("graceMs") ? need(.graceJoin, .stream) : .stream
        default:
            let isSelfJoin = try statement.input == statement.secondInput
            if optimizesSelfJoins, isSelfJoin { features.insert(.selfJoinOptimization) }
            return need(.streamStreamJoin, .stream)
        }
    }

    private mutating func need(_ feature: Feature, _ kind: Kind) -> Kind {
        features.insert(feature)
        return kind
    }
}
