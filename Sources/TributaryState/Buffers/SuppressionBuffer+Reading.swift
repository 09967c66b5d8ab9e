public import TributaryCore
public import TributaryLineage

extension SuppressionBuffer {
    /// What there was of a key.
    public enum Prior {
        /// No change of the key waits: its table knows.
        case notWaiting
        /// A change waits, and before there was nothing.
        case absent
        /// A change waits; ``prior`` is what was before.
        case present
    }

    /// Looks up what was sent on last of a key whose change waits.
    public func findPrior(of key: RawSpan) throws -> Prior {
        let index = cache.find(key, StoreCache.probe(key))
        guard index >= 0, state.value.places[Int(index)].position >= 0 else { return .notWaiting }
        found.writer.removeAll()
        found.writer.append(cache.longValue(index))
        let parts = try BufferedChange(found.bytes)
        state.value.priorLineage = .none
        guard let prior = parts.prior else { return .absent }
        state.value.prior = prior
        if keepsOldLineage {
            let lineage = try lineages(found.bytes(from: parts.end)).prior
            state.value.priorLineage = Lineage(
                context: lineage.context, cell: lineage.cell.without(flags: Cell.unseen))
        }
        return .present
    }

    /// The value that the last ``findPrior(of:)`` found; until the next one.
    public var prior: RawSpan {
        @_lifetime(immortal) get { found.bytes(in: state.value.prior) }
    }

    /// What it came from; until the next one.
    public var priorLineage: Lineage { state.value.priorLineage }

    /// Makes the span of the last look at a prior value, under a parent, and returns its context.
    public func readSpan(_ parent: TraceContext, _ link: LinkType) -> TraceContext {
        guard recorder.makesSpan(parent) else { return parent }
        let lineage = state.value.priorLineage
        // An initial value came from nothing.
        if lineage.context.isValid || !lineage.cell.isEmpty { recorder.link(link, lineage.context) }
        return recorder.span(store.operations.get, parent: parent)
    }

    /// Makes the span of a look that found nothing.
    public func missSpan(_ parent: TraceContext) { _ = recorder.span(store.operations.get, parent: parent) }
}
