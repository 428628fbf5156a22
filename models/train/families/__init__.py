"""The zoo: which jobs are fitted, which families they make, and which ablated twin each family must beat."""
from families import barriers, generative, linear, meta, perceptron, reward, sequence, trees

# Job -> fit(rows, seed) -> Fitted. One job is one fit on one span of days; its module is part of its cache key.
JOBS = {
    "ridge": linear.Ridge,
    "light_gbm": trees.LightGbm,
    "xg_boost": trees.XgBoost,
    "mlp": perceptron.Mlp,
    "mlp_wide": perceptron.MlpWide,
    "tab_cnn": sequence.TabCnn,
    "tab_lstm": sequence.TabLstm,
    "tab_transformer": sequence.TabTransformer,
    "reward_based": reward.RewardBased,
    "quantile_light_gbm": trees.QuantileLightGbm,
    "ng_boost": trees.NgBoost,
    "ng_fixed": trees.NgFixedScale,
    "gmm_regime": linear.GmmRegime,
    "change_point": linear.ChangePoint,
    "ftrl_proximal": linear.FtrlProximal,
    "vae": generative.Vae,
    "gan": generative.Gan,
    "meta_learning": meta.MetaLearning,
    "barriers": barriers.Barriers,
}

# In the order of domain::Family. The ensemble is made of the others' forecasts (ensemble.py).
FAMILIES = ("light_gbm", "xg_boost", "mlp", "tab_cnn", "tab_lstm", "tab_transformer", "reward_based", "quantile_light_gbm",
            "ng_boost", "gmm_regime", "change_point", "ftrl_proximal", "vae", "gan", "ensemble", "meta_learning")

# Family -> (forecast that is the family without its idea, in words). "x:twin" is a second output of job x.
TWINS = {
    "light_gbm": ("ridge", "ridge"),
    "xg_boost": ("ridge", "ridge"),
    "mlp": ("ridge", "ridge"),
    "tab_cnn": ("mlp_wide", "MLP of about the same size"),
    "tab_lstm": ("mlp_wide", "MLP of about the same size"),
    "tab_transformer": ("mlp_wide", "MLP of about the same size"),
    "reward_based": ("mlp", "the same net trained on squared error"),
    "quantile_light_gbm": ("light_gbm", "plain squared error, same trees"),
    "ng_boost": ("ng_fixed", "the same boosting with a fixed scale"),
    "gmm_regime": ("ridge", "one regime"),
    "change_point": ("ridge", "run length constant"),
    "ftrl_proximal": ("ridge", "batch ridge"),
    "vae": ("vae:twin", "principal components, same head"),
    "gan": ("mlp", "the same head without generated rows"),
    "ensemble": ("equal_weight", "equal weights"),
    "meta_learning": ("meta_learning:twin", "no inner steps"),
}

# Families whose fit draws random numbers: the card shows the spread between seeds.
SEEDED = ("light_gbm", "xg_boost", "mlp", "tab_cnn", "tab_lstm", "tab_transformer", "reward_based", "ng_boost", "vae", "gan", "meta_learning")
NEURAL = ("mlp", "tab_cnn", "tab_lstm", "tab_transformer", "reward_based", "vae", "gan", "meta_learning")

# Costliest first (cost of inference in the cards): the order in which a machine that is too slow gives families up.
SHED_ORDER = ("quantile_light_gbm", "tab_transformer", "ng_boost", "light_gbm", "xg_boost", "tab_cnn", "tab_lstm", "vae", "gan",
              "meta_learning", "gmm_regime", "change_point", "reward_based", "mlp", "ensemble", "ftrl_proximal")
